# Generated from bmad/shop-skills/shop-buy/SKILL.md. Edit that file, then run bmad2pf.
"""Orders what is missing."""

from pocketflow import AsyncFlow

from ..agents import ShopAgentKeeper


def build() -> AsyncFlow:
    shop_buy = ShopAgentKeeper(
        id="shop-buy",
        reads=("plan", "tasting-notes"),
        creates="orders",
        shows=("tasks/shop-buy/SKILL.md",),
    )

    return AsyncFlow(start=shop_buy)
