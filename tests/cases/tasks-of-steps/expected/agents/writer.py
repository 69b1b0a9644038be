# Generated from bmad/agents/writer.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
You write.
"""


class Writer(AgentNode):
    id = "writer"
    prompt = PROMPT
    reads = ("rules",)
    assets = ("tasks/write.md", "templates/plan.yaml")
    commands = (
        ("outline", ""),
        ("draft", "Draft it.", ("tasks/write.md", "templates/plan.yaml")),
    )
    creates = "plan"
    template = "templates/plan.yaml"
