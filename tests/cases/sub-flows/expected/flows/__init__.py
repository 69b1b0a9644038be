# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The flows, in the order of their files."""

from ..runtime.flow import Flow
from . import build, default, end, publish

FLOWS = {
    "default": Flow("default", default.build),
    "publish": Flow("publish", publish.build, on_missing_doc="error"),
    "end": Flow("end", end.build),
    "build": Flow("build", build.build),
}
