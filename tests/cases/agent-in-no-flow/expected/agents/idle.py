# Generated from bmad/agents/idle.md. Edit that file, then run bmad2pf.
"""Looks at the input."""

from ..runtime.node import AgentNode

PROMPT = """\
Look closely.
"""


class Idle(AgentNode):
    id = "idle"
    prompt = PROMPT
