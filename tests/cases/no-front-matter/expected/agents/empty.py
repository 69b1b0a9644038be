# Generated from bmad/agents/empty.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
No keys.
"""


class Empty(AgentNode):
    id = "empty"
    prompt = PROMPT
