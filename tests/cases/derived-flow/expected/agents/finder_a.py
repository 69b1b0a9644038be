# Generated from bmad/agents/finder-a.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
Do it.
"""


class FinderA(AgentNode):
    id = "finder-a"
    prompt = PROMPT
