# Generated from bmad/.claude/skills/mine/SKILL.md. Edit that file, then run bmad2pf.
"""My own habit."""

from ..runtime.node import AgentNode

PROMPT = """\

Count the till twice.
"""


class Mine(AgentNode):
    id = "mine"
    prompt = PROMPT
