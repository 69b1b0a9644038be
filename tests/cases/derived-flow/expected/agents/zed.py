# Generated from bmad/agents/zed.md. Edit that file, then run bmad2pf.
"""Looks at the input."""

from ..runtime.node import AgentNode

PROMPT = """\
Look closely.
"""


class Zed(AgentNode):
    id = "zed"
    prompt = PROMPT
