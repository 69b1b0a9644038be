"""Names and rules that the compiler and the service share.

A leaf: it imports nothing of ours. The patterns are spec'd in docs/guide/http.md
and docs/guide/agents.md; each is matched against the whole string.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final, NewType

AgentId = NewType("AgentId", str)
FlowName = NewType("FlowName", str)
StepId = NewType("StepId", str)
StoryId = NewType("StoryId", str)
DocumentId = NewType("DocumentId", str)

ID_PATTERN: Final = r"[A-Za-z][A-Za-z0-9]*(?:[-_][A-Za-z0-9]+)*"
NAME_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._-]*"
MAX_ID: Final = 64
MAX_STORY_ID: Final = 100
MAX_DOCUMENT_ID: Final = 200
RESERVED_AGENT_IDS: Final = frozenset({"shared"})
RESERVED_STEP_IDS: Final = frozenset({"end"})
ON_MISSING_DOC: Final = ("wait", "skip", "error")
DEFAULT_MAX_VISITS: Final = 3

# What a step that works through a checklist answers.
VERDICT: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "verdict": {"type": "string", "enum": ["pass", "fail"]},
        "summary": {"type": "string"},
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "item": {"type": "string"},
                    "status": {"type": "string", "enum": ["pass", "fail", "not applicable"]},
                    "note": {"type": "string"},
                },
                "required": ["item", "status"],
            },
        },
    },
    "required": ["verdict", "summary", "items"],
}

_ID = re.compile(ID_PATTERN)
_NAME = re.compile(NAME_PATTERN)


def is_id(text: str) -> bool:
    """Whether `text` may name an agent, a step or a flow."""
    return len(text) <= MAX_ID and _ID.fullmatch(text) is not None


def id_key(text: str) -> str:
    """What two ids must not have in common: NFKC, casefold, `-` as `_`."""
    return unicodedata.normalize("NFKC", text).casefold().replace("-", "_")


def is_story_id(text: str) -> bool:
    """Whether a client may use `text` as a story id."""
    return (
        len(text) <= MAX_STORY_ID
        and _NAME.fullmatch(text) is not None
        and "__" not in text
        and not text.endswith(".")
    )


def is_document_id(text: str) -> bool:
    """Whether `text` may name a document, a memory key or a shared namespace."""
    return (
        len(text) <= MAX_DOCUMENT_ID
        and _NAME.fullmatch(text) is not None
        and not text.endswith(".")
    )


def document_name(name: str) -> str:
    """`prd.md` and `prd` are the same document."""
    return name.removesuffix(".md")


def story_document(story_id: str, name: str) -> str:
    """The id of a story's own document: `S-1` and `prd` give `S-1__prd`."""
    return f"{story_id}__{document_name(name)}"
