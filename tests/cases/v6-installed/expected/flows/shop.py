# Generated from bmad/_bmad/shop/module-help.csv. Edit that file, then run bmad2pf.
"""shop"""

from pocketflow import AsyncFlow

from ..runtime.subflow import Subflow
from . import shop_open, shop_plan


def build() -> AsyncFlow:
    shop_plan_ = Subflow("shop-plan", shop_plan.build, on_missing_doc="skip")
    shop_open_ = Subflow("shop-open", shop_open.build, on_missing_doc="skip")

    shop_plan_ >> shop_open_

    return AsyncFlow(start=shop_plan_)
