# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The agents, sorted by id."""

from .shop_agent_keeper import ShopAgentKeeper
from .shop_taste import ShopTaste

AGENTS = (ShopAgentKeeper, ShopTaste)
