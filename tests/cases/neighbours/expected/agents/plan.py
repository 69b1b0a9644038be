# Generated from bmad/.github/agents/plan.agent.md. Edit that file, then run bmad2pf.
"""Plans."""

from ..runtime.node import AgentNode

PROMPT = """\
Plan first.
"""


class Plan(AgentNode):
    id = "plan"
    prompt = PROMPT
