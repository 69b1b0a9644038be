# Generated from bmad/agents/two.md. Edit that file, then run bmad2pf.
"""Looks at the input."""

from ..runtime.node import AgentNode

PROMPT = """\
Look closely.
"""


class Two(AgentNode):
    id = "two"
    prompt = PROMPT
