# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The agents, sorted by id."""

from .analyst import Analyst
from .critic import Critic
from .editor import Editor
from .fresh import Fresh

AGENTS = (Analyst, Critic, Editor, Fresh)
