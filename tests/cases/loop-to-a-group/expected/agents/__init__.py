# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The agents, sorted by id."""

from .critic import Critic
from .one import One
from .two import Two

AGENTS = (Critic, One, Two)
