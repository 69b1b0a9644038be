# Generated from bmad/agents/splitter.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
S"""
OUTPUT = {"type": "array"}


class Splitter(AgentNode):
    id = "splitter"
    prompt = PROMPT
    wait_for_agents = ("dev",)
    output = OUTPUT
