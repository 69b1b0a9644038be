# Generated from bmad/agents/reviewer.md. Edit that file, then run bmad2pf.
"""Reviews what the analyst found."""

from ..runtime.node import AgentNode

PROMPT = """\
Review the requirements.
"""


class Reviewer(AgentNode):
    id = "reviewer"
    prompt = PROMPT
    memory_scope = "shared:requirements"
    wait_for_agents = ("analyst",)
