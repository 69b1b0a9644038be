# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The agents, sorted by id."""

from .binder import Binder
from .dev import Dev
from .librarian import Librarian
from .weaving_librarian import WeavingLibrarian

AGENTS = (Binder, Dev, Librarian, WeavingLibrarian)
