# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The tools that agents may call."""

from ..runtime.tool import Tool
from .words import count

TOOLS = (
    Tool(
        "count",
        count,
        description="Count the words.",
        parameters={
            "type": "object",
            "properties": {"text": {"type": "string"}},
            "required": ["text"],
            "additionalProperties": False,
        },
    ),
)
