# Generated from bmad/agents/fresh.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
Come.
"""


class Fresh(AgentNode):
    id = "fresh"
    prompt = PROMPT
    memory_scope = "shared:product"
    memory_recall = 5
