# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The flows, in the order of their files."""

from ..runtime.flow import Flow
from . import chapter, default

FLOWS = {
    "default": Flow("default", default.build),
    "chapter": Flow("chapter", chapter.build),
}
