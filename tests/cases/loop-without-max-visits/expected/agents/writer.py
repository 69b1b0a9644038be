# Generated from bmad/agents/writer.md. Edit that file, then run bmad2pf.
"""Looks at the input."""

from ..runtime.node import AgentNode

PROMPT = """\
Look closely.
"""


class Writer(AgentNode):
    id = "writer"
    prompt = PROMPT
