# Generated from bmad/agents/reviewer.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
You are the reviewer.
"""


class Reviewer(AgentNode):
    id = "reviewer"
    prompt = PROMPT
    actions = ("approve", "reject")
