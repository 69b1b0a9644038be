# Generated from bmad/agents/a.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
Do it.
"""


class A(AgentNode):
    id = "a"
    prompt = PROMPT
    creates = "facts"
