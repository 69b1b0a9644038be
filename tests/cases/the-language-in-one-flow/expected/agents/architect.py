# Generated from bmad/agents/architect.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
You are architect.
"""


class Architect(AgentNode):
    id = "architect"
    prompt = PROMPT
