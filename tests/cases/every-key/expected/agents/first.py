# Generated from bmad/agents/first.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
Do it.
"""


class First(AgentNode):
    id = "first"
    prompt = PROMPT
    creates = "brief"
