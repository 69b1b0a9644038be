# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The agents, sorted by id."""

from .mine import Mine
from .shop_agent_keeper import ShopAgentKeeper

AGENTS = (Mine, ShopAgentKeeper)
