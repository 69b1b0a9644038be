# Generated from bmad/agents/analyst.md. Edit that file, then run bmad2pf.
"""Splits requirements into parts."""

from ..runtime.node import AgentNode

PROMPT = """\
Split the requirements with `text_splitter` and list them.
"""


class Analyst(AgentNode):
    id = "analyst"
    prompt = PROMPT
    tools = ("text_splitter",)
    memory_scope = "shared:requirements"
