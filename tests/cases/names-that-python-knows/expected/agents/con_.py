# Generated from bmad/agents/con.md. Edit that file, then run bmad2pf.
"""Looks at the input."""

from ..runtime.node import AgentNode

PROMPT = """\
Look closely.
"""


class Con(AgentNode):
    id = "con"
    prompt = PROMPT
