# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The agents, sorted by id."""

from .analyst import Analyst
from .api import Api
from .critic import Critic
from .my_editor import MyEditor
from .ux import Ux

AGENTS = (Analyst, Api, Critic, MyEditor, Ux)
