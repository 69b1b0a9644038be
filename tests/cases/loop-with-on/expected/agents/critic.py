# Generated from bmad/agents/critic.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
Do it.
"""


class Critic(AgentNode):
    id = "critic"
    prompt = PROMPT
    wait_for_docs = ("draft",)
    actions = ("approve", "revise", "give-up")
