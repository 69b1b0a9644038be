# Generated from bmad/agents/analyst.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
A.
"""


class Analyst(AgentNode):
    id = "analyst"
    prompt = PROMPT
    wait_for_docs = ("brief",)
    creates = "prd"
