"""The names that clients give, checked before anything is built of them."""

from __future__ import annotations

from typing import Final

from ..errors import InvalidName
from ..spec import (
    MAX_DOCUMENT_ID,
    MAX_STORY_ID,
    document_name,
    is_document_id,
    is_id,
    is_story_id,
)

_ALPHABET: Final = (
    "letters, digits, dots, underscores and hyphens, beginning with a letter or digit"
)


def story_id(text: str) -> str:
    """Itself. Raises InvalidName."""
    if not is_story_id(text):
        raise InvalidName(
            "story_id",
            f"has at most {MAX_STORY_ID} {_ALPHABET}, no '__' and no dot at its end",
        )
    return text


def document_id(text: str, field: str = "id") -> str:
    """Without a trailing `.md`. Raises InvalidName."""
    name = document_name(text)
    if not is_document_id(name):
        raise InvalidName(
            field, f"should be at most {MAX_DOCUMENT_ID} {_ALPHABET}, and no dot at its end"
        )
    return name


def name_of(field: str, text: str) -> str:
    """An agent's id or a flow's name, itself. Raises InvalidName."""
    if not is_id(text):
        raise InvalidName(field, "has at most 64 letters and digits, joined by single - or _")
    return text
