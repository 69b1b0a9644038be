# Generated from bmad/agents/finder-b.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
Do it.
"""


class FinderB(AgentNode):
    id = "finder-b"
    prompt = PROMPT
    creates = "facts"
