# Generated from bmad/shop-skills/shop-taste/SKILL.md. Edit that file, then run bmad2pf.
"""Tries what is to be sold."""

from pocketflow import AsyncFlow

from ..agents import ShopTaste


def build() -> AsyncFlow:
    shop_taste = ShopTaste(
        creates="tasting-notes",
        shows=("tasks/shop-taste/SKILL.md",),
    )

    return AsyncFlow(start=shop_taste)
