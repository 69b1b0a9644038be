# Generated from bmad/agents/b.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
Do it.
"""


class B(AgentNode):
    id = "b"
    prompt = PROMPT
    wait_for_agents = ("a",)
