# Generated from bmad/agents/reviewer.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
Do it.
"""


class Reviewer(AgentNode):
    id = "reviewer"
    prompt = PROMPT
    wait_for_docs = ("prdd", "brief")
