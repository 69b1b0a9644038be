# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The flows, in the order of their files."""

from ..runtime.flow import Flow
from . import default, sure

FLOWS = {
    "default": Flow("default", default.build, on_missing_doc="wait"),
    "sure": Flow("sure", sure.build, on_missing_doc="error"),
}
