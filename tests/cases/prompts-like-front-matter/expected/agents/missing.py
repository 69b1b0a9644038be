# Generated from bmad/agents/missing.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
description: Finds out.
creates: prd
---
B.
"""


class Missing(AgentNode):
    id = "missing"
    prompt = PROMPT
