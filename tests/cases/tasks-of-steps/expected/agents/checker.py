# Generated from bmad/agents/checker.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
You check.
"""


class Checker(AgentNode):
    id = "checker"
    prompt = PROMPT
