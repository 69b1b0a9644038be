# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The agents, sorted by id."""

from .analyst import Analyst
from .architect import Architect
from .dev import Dev
from .editor import Editor
from .reviewer import Reviewer
from .ux import Ux
from .writer import Writer

AGENTS = (Analyst, Architect, Dev, Editor, Reviewer, Ux, Writer)
