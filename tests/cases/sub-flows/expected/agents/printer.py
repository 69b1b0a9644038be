# Generated from bmad/agents/printer.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
P"""


class Printer(AgentNode):
    id = "printer"
    prompt = PROMPT
    wait_for_docs = ("edited",)
