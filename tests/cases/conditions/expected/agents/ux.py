# Generated from bmad/agents/ux.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
U"""


class Ux(AgentNode):
    id = "ux"
    prompt = PROMPT
