# Generated from bmad/agents/critic.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
Judge it.
"""


class Critic(AgentNode):
    id = "critic"
    prompt = PROMPT
