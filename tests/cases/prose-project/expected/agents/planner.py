# Generated from bmad/bmad/agents/planner.md. Edit that file, then run bmad2pf.
"""Planner"""

from ..runtime.node import AgentNode

PROMPT = """\
# Agent: Planner

Tu écris le plan.
"""


class Planner(AgentNode):
    id = "planner"
    prompt = PROMPT
