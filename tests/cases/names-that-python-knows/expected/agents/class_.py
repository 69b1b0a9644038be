# Generated from bmad/agents/class.md. Edit that file, then run bmad2pf.
"""Looks at the input."""

from ..runtime.node import AgentNode

PROMPT = """\
Look closely.
"""


class Class(AgentNode):
    id = "class"
    prompt = PROMPT
