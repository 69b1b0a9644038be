# Generated from bmad/agents/far.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
description: of a thing
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
line
---
"""


class Far(AgentNode):
    id = "far"
    prompt = PROMPT
