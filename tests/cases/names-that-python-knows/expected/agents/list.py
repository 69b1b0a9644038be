# Generated from bmad/agents/list.md. Edit that file, then run bmad2pf.
"""Looks at the input."""

from ..runtime.node import AgentNode

PROMPT = """\
Look closely.
"""


class List(AgentNode):
    id = "list"
    prompt = PROMPT
