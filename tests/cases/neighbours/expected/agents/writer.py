# Generated from bmad/src/shop/config/agents.yaml. Edit that file, then run bmad2pf.
"""Write it down"""

from ..runtime.node import AgentNode

PROMPT = """\
## Goal

Write it down

## Background

You write plainly.
"""


class Writer(AgentNode):
    id = "writer"
    prompt = PROMPT
    persona = "You are Writer."
