# Generated from bmad/.claude/skills/shop-open/SKILL.md. Edit that file, then run bmad2pf.
"""Opens the doors."""

from pocketflow import AsyncFlow

from ..agents import ShopAgentKeeper


def build() -> AsyncFlow:
    shop_open = ShopAgentKeeper(
        id="shop-open",
        reads=("shop-plan",),
        creates="opening-notes",
        shows=("tasks/shop-open/SKILL.md",),
    )

    return AsyncFlow(start=shop_open)
