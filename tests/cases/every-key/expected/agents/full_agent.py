# Generated from bmad/agents/full.md. Edit that file, then run bmad2pf.
"""Everything that an agent may say of itself."""

from ..runtime.node import AgentNode

PROMPT = """\

Do everything.
"""
PERSONA = """\
You are calm.
You are brief.
"""


class FullAgent(AgentNode):
    id = "full-agent"
    prompt = PROMPT
    persona = PERSONA
    tools = ("count",)
    memory_scope = "shared:team.notes"
    memory_recall = 5
    wait_for_docs = ("brief",)
    wait_for_agents = ("first",)
    commands = (
        ("help", ""),
        ("list", "List what you did."),
        ("again", 'Do it "again".'),
    )
    creates = "report"
    actions = ("approve", "no", "on")
    model = "openai:gpt-5"
    temperature = 0.25
    max_tokens = 10
    timeout = 100.0
    retries = 3
