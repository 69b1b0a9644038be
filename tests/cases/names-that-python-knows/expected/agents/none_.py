# Generated from bmad/agents/None.md. Edit that file, then run bmad2pf.
"""Looks at the input."""

from ..runtime.node import AgentNode

PROMPT = """\
Look closely.
"""


class None_(AgentNode):
    id = "None"
    prompt = PROMPT
