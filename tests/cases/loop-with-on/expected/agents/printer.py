# Generated from bmad/agents/printer.md. Edit that file, then run bmad2pf.
"""Looks at the input."""

from ..runtime.node import AgentNode

PROMPT = """\
Look closely.
"""


class Printer(AgentNode):
    id = "printer"
    prompt = PROMPT
