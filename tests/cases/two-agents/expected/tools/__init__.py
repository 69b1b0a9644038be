# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The tools that agents may call."""

from ..runtime.tool import Tool
from .utils.text import split_into_chunks

TOOLS = (
    Tool(
        "text_splitter",
        split_into_chunks,
        description="Split a text into chunks of at most `size` characters.",
        parameters={
            "type": "object",
            "properties": {
                "text": {"type": "string"},
                "size": {"type": "integer", "default": 1000},
            },
            "required": ["text"],
            "additionalProperties": False,
        },
    ),
)
