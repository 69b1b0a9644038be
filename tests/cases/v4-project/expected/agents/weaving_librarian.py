# Generated from bmad/.bmad-weaving/agents/librarian.md. Edit that file, then run bmad2pf.
"""Keeper of Yarn"""

from ..runtime.node import AgentNode

PROMPT = """\
## In service

Nobody can be asked while you work. Where a text tells you to ask, to offer options, to elicit or to wait for a person, decide yourself and say what you assumed. Your answer is the document or the result itself.
"""
PERSONA = """\
You are Lo, Keeper of Yarn.
Role: Keeps yarn"""


class WeavingLibrarian(AgentNode):
    id = "weaving-librarian"
    prompt = PROMPT
    persona = PERSONA
    assets = ("tasks/make-index.md",)
