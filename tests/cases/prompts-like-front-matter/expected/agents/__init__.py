# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The agents, sorted by id."""

from .blank import Blank
from .far import Far
from .missing import Missing
from .rule import Rule

AGENTS = (Blank, Far, Missing, Rule)
