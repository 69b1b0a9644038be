# Generated from bmad/shop-skills/shims/shop-order/SKILL.md. Edit that file, then run bmad2pf.
"""Deprecated: forwards to shop-buy."""

from pocketflow import AsyncFlow

from ..agents import ShopAgentKeeper


def build() -> AsyncFlow:
    shop_buy = ShopAgentKeeper(
        id="shop-buy",
        reads=("plan", "tasting-notes"),
        creates="orders",
        note="Use shop-buy.",
        shows=("tasks/shop-buy/SKILL.md",),
    )

    return AsyncFlow(start=shop_buy)
