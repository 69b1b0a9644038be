# Generated from bmad/agents/planner.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
P"""
OUTPUT = {
    "type": "object",
    "properties": {"stories": {"$ref": "#/$defs/list"}, "title": {"type": "string"}},
    "$defs": {"list": {"type": ["array", "null"], "items": {"type": "string"}}},
}


class Planner(AgentNode):
    id = "planner"
    prompt = PROMPT
    output = OUTPUT
