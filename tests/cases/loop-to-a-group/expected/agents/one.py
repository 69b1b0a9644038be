# Generated from bmad/agents/one.md. Edit that file, then run bmad2pf.
"""Looks at the input."""

from ..runtime.node import AgentNode

PROMPT = """\
Look closely.
"""


class One(AgentNode):
    id = "one"
    prompt = PROMPT
