# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The agents, sorted by id."""

from .planner import Planner

AGENTS = (Planner,)
