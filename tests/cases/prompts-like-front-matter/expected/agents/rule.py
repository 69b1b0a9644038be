# Generated from bmad/agents/rule.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
Tools: none.

---

C.
"""


class Rule(AgentNode):
    id = "rule"
    prompt = PROMPT
