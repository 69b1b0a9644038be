# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The agents, sorted by id."""

from .pdf import Pdf
from .plan import Plan
from .researcher import Researcher
from .reviewer import Reviewer
from .writer import Writer

AGENTS = (Pdf, Plan, Researcher, Reviewer, Writer)
