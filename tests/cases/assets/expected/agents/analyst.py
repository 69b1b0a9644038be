# Generated from bmad/agents/analyst.md. Edit that file, then run bmad2pf.

from ..runtime.budget import Budget
from ..runtime.node import AgentNode

PROMPT = """\
A"""
OUTPUT = {"type": "object", "properties": {"title": {"type": "string"}}}


class Analyst(AgentNode):
    id = "analyst"
    prompt = PROMPT
    assets = (
        "tasks/interview.md",
        "tasks/deep/er.md",
        "checklists/done.md",
        "data/with space.csv",
    )
    inline = ("templates/prd.md",)
    output = OUTPUT
    fallback = "mock"
    budget = Budget(tokens=10)
