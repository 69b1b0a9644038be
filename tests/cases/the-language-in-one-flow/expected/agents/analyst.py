# Generated from bmad/agents/analyst.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
You are the analyst.
"""


class Analyst(AgentNode):
    id = "analyst"
    prompt = PROMPT
    creates = "prd"
