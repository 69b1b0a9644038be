# Generated from bmad/agents/End.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
Do it.
"""


class EndIt(AgentNode):
    id = "end-it"
    prompt = PROMPT
