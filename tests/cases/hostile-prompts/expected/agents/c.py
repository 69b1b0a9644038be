# Generated from bmad/agents/c.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
\""""


class C(AgentNode):
    id = "c"
    prompt = PROMPT
