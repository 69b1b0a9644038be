# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The flows, in the order of their files."""

from ..runtime.flow import Flow
from . import shop, shop_open, shop_plan

FLOWS = {
    "shop-open": Flow(
        "shop-open",
        shop_open.build,
        description="Opens the doors.",
        on_missing_doc="skip",
    ),
    "shop-plan": Flow(
        "shop-plan",
        shop_plan.build,
        description="Plans what the shop sells.",
        on_missing_doc="skip",
    ),
    "shop": Flow("shop", shop.build, description="shop"),
}
