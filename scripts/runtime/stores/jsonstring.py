"""A text as a JSON string in ASCII, as `json.dumps` writes it."""

from __future__ import annotations

from json.encoder import encode_basestring_ascii
from typing import Final

from pydantic_core import to_json

SHORT: Final = 250  # up to so many characters `encode_basestring_ascii` itself is as fast


def json_string(text: str) -> str:
    """`text` in quotes, all but ASCII escaped; a lone surrogate is escaped as well."""
    # It writes what is not ASCII as it is, and so the one ASCII character that json escapes.
    if len(text) > SHORT and text.isascii() and "\x7f" not in text:
        return to_json(text).decode("ascii")
    return encode_basestring_ascii(text)
