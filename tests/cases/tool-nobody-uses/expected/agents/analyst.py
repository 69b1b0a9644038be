# Generated from bmad/agents/analyst.md. Edit that file, then run bmad2pf.
"""Looks at the input."""

from ..runtime.node import AgentNode

PROMPT = """\
Look closely.
"""


class Analyst(AgentNode):
    id = "analyst"
    prompt = PROMPT
