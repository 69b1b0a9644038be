# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The flows, in the order of their files."""

from ..runtime.flow import Flow
from . import default, publish

FLOWS = {
    "default": Flow(
        "default",
        default.build,
        description="From an idea to reviewed stories",
        on_missing_doc="wait",
    ),
    "publish": Flow("publish", publish.build, on_missing_doc="error"),
}
