# Generated from bmad/shop-skills/module-help.csv. Edit that file, then run bmad2pf.
"""Shop"""

from pocketflow import AsyncFlow

from ..runtime.subflow import Subflow
from . import shop_buy, shop_plan, shop_taste


def build() -> AsyncFlow:
    shop_taste_ = Subflow(
        "shop-taste",
        shop_taste.build,
        on_missing_doc="skip",
        when='inputs.optional["shop-taste"]',
    )
    shop_plan_ = Subflow("shop-plan", shop_plan.build, on_missing_doc="skip")
    shop_buy_ = Subflow("shop-buy", shop_buy.build, on_missing_doc="skip")

    shop_taste_ >> shop_plan_ >> shop_buy_

    return AsyncFlow(start=shop_taste_)
