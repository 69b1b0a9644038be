# Generated from bmad/agents/a.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
A"""


class A(AgentNode):
    id = "a"
    prompt = PROMPT
    memory_scope = "shared:notes"
    model = "openai:gpt-5"
