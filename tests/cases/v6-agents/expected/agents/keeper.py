# Generated from bmad/src/shop/agents/keeper.agent.yaml. Edit that file, then run bmad2pf.
"""counting, buying"""

from ..runtime.node import AgentNode

PROMPT = """\
## Principles

- Count first
- Then buy

## Always

- Never sell on credit

## In service

Nobody can be asked while you work, and you load no files but those that are shown to you or that `read_asset` gives. Where a text tells you to greet, to show a menu, to halt or to wait for a person, go on with the likeliest choice and say what you assumed. Where it tells you to write a file, your answer is its content.
"""
PERSONA = """\
You are Ada, Keeper.
Role: Keeper
Identity: Calm
Communication style: Short"""


class Keeper(AgentNode):
    id = "keeper"
    prompt = PROMPT
    persona = PERSONA
    memory_scope = "shared:shop"
    assets = ("tasks/plan/instructions.xml", "tasks/shop/greet.md")
    commands = (
        ("make-plan", "Make the plan", ("tasks/plan/instructions.xml",)),
        ("recount", "Recount\n\nCount all of it again."),
        ("greet-all", "Greet", ("tasks/shop/greet.md",)),
        ("answer", "Chat\n\nanswer as a keeper"),
        ("reply", "Chat\n\nreply in a word"),
        ("nod", "Chat\n\nnod"),
    )
