# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The agents, sorted by id."""

from .critic import Critic
from .finder_a import FinderA
from .finder_b import FinderB
from .writer import Writer
from .zed import Zed

AGENTS = (Critic, FinderA, FinderB, Writer, Zed)
