# Generated from bmad/agents/e.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = ""


class E(AgentNode):
    id = "e"
    prompt = PROMPT
