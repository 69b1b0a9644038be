# Generated from bmad/agents/no.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
Do it.
"""


class No(AgentNode):
    id = "no"
    prompt = PROMPT
