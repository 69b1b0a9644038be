# Generated from bmad/agents/plain.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
Just a prompt.
"""


class Plain(AgentNode):
    id = "plain"
    prompt = PROMPT
