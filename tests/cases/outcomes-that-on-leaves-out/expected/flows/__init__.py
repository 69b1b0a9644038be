# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The flows, in the order of their files."""

from ..runtime.flow import Flow
from . import default, plain, sure

FLOWS = {
    "default": Flow("default", default.build),
    "sure": Flow("sure", sure.build),
    "plain": Flow("plain", plain.build),
}
