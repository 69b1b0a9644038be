# Generated from bmad/shop-skills/shims/shop-order/SKILL.md. Edit that file, then run bmad2pf.
"""Deprecated: forwards to shop-buy."""

from pocketflow import AsyncFlow

from ..runtime.subflow import Subflow
from . import shop_buy


def build() -> AsyncFlow:
    shop_buy_ = Subflow("shop-buy", shop_buy.build, on_missing_doc="skip")

    return AsyncFlow(start=shop_buy_)
