# Generated from bmad/agents/dev.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
You are dev.
"""


class Dev(AgentNode):
    id = "dev"
    prompt = PROMPT
