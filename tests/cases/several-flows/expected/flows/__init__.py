# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The flows, in the order of their files."""

from ..runtime.flow import Flow
from . import alpha, ux_flow, zulu

FLOWS = {
    "zulu": Flow("zulu", zulu.build),
    "alpha": Flow("alpha", alpha.build, description="Only b"),
    "ux-flow": Flow("ux-flow", ux_flow.build),
}
