# Generated from bmad/agents/writer.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
You are the writer.
"""
OUTPUT = {
    "type": "object",
    "properties": {"stories": {"type": "array", "items": {"type": "string"}}},
    "required": ["stories"],
}


class Writer(AgentNode):
    id = "writer"
    prompt = PROMPT
    output = OUTPUT
