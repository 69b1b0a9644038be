# Generated from bmad/src/shop/config/agents.yaml. Edit that file, then run bmad2pf.
"""Find what matters about {topic}"""

from ..runtime.node import AgentNode

PROMPT = """\
## Goal

Find what matters about {topic}

## Background

You know where to look.
"""


class Researcher(AgentNode):
    id = "researcher"
    prompt = PROMPT
    persona = "You are {topic} researcher."
