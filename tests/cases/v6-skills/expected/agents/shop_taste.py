# Generated from bmad/shop-skills/shop-taste/SKILL.md. Edit that file, then run bmad2pf.
"""Tries what is to be sold."""

from ..runtime.node import AgentNode

PROMPT = """\
## In service

Nobody can be asked while you work, and you load no files but those that are shown to you or that `read_asset` gives. Where a text tells you to greet, to show a menu, to halt or to wait for a person, go on with the likeliest choice and say what you assumed. Where it tells you to write a file, your answer is its content.
"""


class ShopTaste(AgentNode):
    id = "shop-taste"
    prompt = PROMPT
    persona = "You carry out the workflow shop-taste."
    assets = ("tasks/shop-taste/SKILL.md",)
