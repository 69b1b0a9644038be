# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The agents, sorted by id."""

from .first import First
from .full_agent import FullAgent

AGENTS = (First, FullAgent)
