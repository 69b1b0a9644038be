# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The agents, sorted by id."""

from .editor import Editor
from .printer import Printer
from .writer import Writer

AGENTS = (Editor, Printer, Writer)
