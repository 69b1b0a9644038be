# Generated from bmad/agents/c.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
Do it.
"""


class C(AgentNode):
    id = "c"
    prompt = PROMPT
    wait_for_docs = ("facts",)
