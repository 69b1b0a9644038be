# Generated from bmad/agents/blank.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\

\x20
---
description: Finds out.
---
A.
"""


class Blank(AgentNode):
    id = "blank"
    prompt = PROMPT
