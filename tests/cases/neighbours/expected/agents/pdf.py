# Generated from bmad/skills/pdf/SKILL.md. Edit that file, then run bmad2pf.
"""Reads PDFs."""

from ..runtime.node import AgentNode

PROMPT = """\
Use reference.md.
"""


class Pdf(AgentNode):
    id = "pdf"
    prompt = PROMPT
    assets = ("data/pdf/reference.md",)
