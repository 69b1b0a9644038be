# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The agents, sorted by id."""

from .analyst import Analyst
from .writer import Writer

AGENTS = (Analyst, Writer)
