# Generated from bmad/agents/mixed.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
A\rB
C\r
no end"""


class Mixed(AgentNode):
    id = "mixed"
    prompt = PROMPT
