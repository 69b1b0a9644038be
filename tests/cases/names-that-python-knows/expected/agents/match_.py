# Generated from bmad/agents/match.md. Edit that file, then run bmad2pf.
"""Looks at the input."""

from ..runtime.node import AgentNode

PROMPT = """\
Look closely.
"""


class Match(AgentNode):
    id = "match"
    prompt = PROMPT
