# Generated from bmad/agents/writer.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
B.
"""


class Writer(AgentNode):
    id = "writer"
    prompt = PROMPT
    wait_for_docs = ("prdd",)
