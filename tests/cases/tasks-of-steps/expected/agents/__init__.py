# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The agents, sorted by id."""

from .checker import Checker
from .writer import Writer

AGENTS = (Checker, Writer)
