# Generated from bmad/agents/a1-2b.md. Edit that file, then run bmad2pf.
"""Looks at the input."""

from ..runtime.node import AgentNode

PROMPT = """\
Look closely.
"""


class A1_2b(AgentNode):
    id = "a1-2b"
    prompt = PROMPT
