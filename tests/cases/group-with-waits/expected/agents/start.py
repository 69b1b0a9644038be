# Generated from bmad/agents/start.md. Edit that file, then run bmad2pf.
"""Looks at the input."""

from ..runtime.node import AgentNode

PROMPT = """\
Look closely.
"""


class Start(AgentNode):
    id = "start"
    prompt = PROMPT
