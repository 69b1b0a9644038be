# Generated from bmad/agents/a.md. Edit that file, then run bmad2pf.
"""Looks at the input."""

from ..runtime.node import AgentNode

PROMPT = """\
Look closely.
"""


class A(AgentNode):
    id = "a"
    prompt = PROMPT
