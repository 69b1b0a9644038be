# Generated from bmad/agents/b.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
ends with a backslash\\"""


class B(AgentNode):
    id = "b"
    prompt = PROMPT
