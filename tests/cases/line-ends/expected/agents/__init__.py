# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The agents, sorted by id."""

from .crlf import Crlf
from .mixed import Mixed

AGENTS = (Crlf, Mixed)
