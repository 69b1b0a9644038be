# Generated from bmad/agents/analyst.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
Do it.
"""


class Analyst(AgentNode):
    id = "analyst"
    prompt = PROMPT
    memory_scope = "shared:notes"
