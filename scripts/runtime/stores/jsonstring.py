"""A text as a JSON string in ASCII, as `json.dumps` writes it."""

from __future__ import annotations

from json.encoder import encode_basestring_ascii
from typing import Final

from pydantic_core import to_json

_LONG: Final = 250  # from so many characters on, calling the faster one is no longer what costs


def json_string(text: str) -> str:
    """`text` in quotes, all but ASCII escaped; a lone surrogate is escaped as well."""
    # It writes what is not ASCII as it is, and so the one ASCII character that json escapes.
    if len(text) > _LONG and text.isascii() and "\x7f" not in text:
        return to_json(text).decode("ascii")
    return encode_basestring_ascii(text)
