# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The agents, sorted by id."""

from .a import A
from .b import B
from .c import C
from .d import D
from .e import E
from .f import F

AGENTS = (A, B, C, D, E, F)
