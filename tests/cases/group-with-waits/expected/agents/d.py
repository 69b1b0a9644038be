# Generated from bmad/agents/d.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
Do it.
"""


class D(AgentNode):
    id = "d"
    prompt = PROMPT
