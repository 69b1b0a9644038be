# Generated from bmad/agents/crlf.md. Edit that file, then run bmad2pf.
"""Windows."""

from ..runtime.node import AgentNode

PROMPT = """\
First\r
\r
second\r
"""


class Crlf(AgentNode):
    id = "crlf"
    prompt = PROMPT
