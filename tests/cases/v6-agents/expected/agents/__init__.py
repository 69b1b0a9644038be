# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The agents, sorted by id."""

from .baker import Baker
from .keeper import Keeper

AGENTS = (Baker, Keeper)
