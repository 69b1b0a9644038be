# Generated from bmad/.claude/agents/reviewer.md. Edit that file, then run bmad2pf.
"""Reads changes and names what is wrong."""

from ..runtime.node import AgentNode

PROMPT = """\
You read changes with care. Use {braces} and "quotes".
"""


class Reviewer(AgentNode):
    id = "reviewer"
    prompt = PROMPT
