# Generated from bmad/agents/f.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\


"""


class F(AgentNode):
    id = "f"
    prompt = PROMPT
