# Generated from bmad/.bmad-core/agents/binder.md. Edit that file, then run bmad2pf.
"""Binder"""

from ..runtime.node import AgentNode

PROMPT = """\
## Commands

- bind:
  Bind a book

  The input gives: book.
- press: Press it flat

## In service

Nobody can be asked while you work. Where a text tells you to ask, to offer options, to elicit or to wait for a person, decide yourself and say what you assumed. Your answer is the document or the result itself.
"""
PERSONA = """\
You are Bo, Binder.
Role: Binds what is ready"""


class Binder(AgentNode):
    id = "binder"
    prompt = PROMPT
    persona = PERSONA
    assets = ("tasks/press.md",)
    commands = (
        ("bind", "Bind a book\n\nThe input gives: book."),
        ("press", "Press it flat", ("tasks/press.md",)),
    )
