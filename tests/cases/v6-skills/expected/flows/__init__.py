# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The flows, in the order of their files."""

from ..runtime.flow import Flow
from . import shop, shop_buy, shop_order, shop_plan, shop_taste

FLOWS = {
    "shop-buy": Flow(
        "shop-buy",
        shop_buy.build,
        description="Orders what is missing.",
        on_missing_doc="skip",
    ),
    "shop-order": Flow(
        "shop-order",
        shop_order.build,
        description="Deprecated: forwards to shop-buy.",
        on_missing_doc="skip",
    ),
    "shop-plan": Flow(
        "shop-plan",
        shop_plan.build,
        description="Makes the plan of what to sell.",
        on_missing_doc="skip",
    ),
    "shop-taste": Flow(
        "shop-taste",
        shop_taste.build,
        description="Tries what is to be sold.",
        on_missing_doc="skip",
    ),
    "shop": Flow("shop", shop.build, description="Shop"),
}
