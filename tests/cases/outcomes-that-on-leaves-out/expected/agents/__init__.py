# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The agents, sorted by id."""

from .critic import Critic
from .writer import Writer

AGENTS = (Critic, Writer)
