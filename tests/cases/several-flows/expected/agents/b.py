# Generated from bmad/agents/b.md. Edit that file, then run bmad2pf.
"""Looks at the input."""

from ..runtime.node import AgentNode

PROMPT = """\
Look closely.
"""


class B(AgentNode):
    id = "b"
    prompt = PROMPT
