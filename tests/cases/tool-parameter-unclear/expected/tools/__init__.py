# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The tools that agents may call."""

from ..runtime.tool import Tool
from .looking import look

TOOLS = (
    Tool(
        "look",
        look,
        description="Look somewhere.",
        parameters={
            "type": "object",
            "properties": {
                "where": {},
                "how": {},
                "many": {"type": "integer", "default": 3},
            },
            "required": ["where", "how"],
            "additionalProperties": False,
        },
    ),
)
