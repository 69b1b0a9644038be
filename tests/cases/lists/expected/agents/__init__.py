# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The agents, sorted by id."""

from .dev import Dev
from .planner import Planner
from .splitter import Splitter

AGENTS = (Dev, Planner, Splitter)
