"""Splits an agent's file into its front-matter and its prompt.

The rule: front-matter is there when the first line is `---` (blanks may follow, a byte order
mark may precede). It ends at the next line that is `---`, blanks after it allowed. All that
follows that line's end is the prompt, as it stands. Lines end with LF or CRLF, not with a CR
alone. A `---` further down is text of the prompt; `...` ends nothing. Without front-matter the
whole file is the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final, NamedTuple

_OPENING: Final = re.compile(r"---[ \t]*(?:\r?\n|\r|\Z)")
_CLOSING: Final = re.compile(r"^---[ \t]*(?:\r?\n|\Z)", re.MULTILINE)
_KEY: Final = re.compile(r"([a-z_]+):(?:[ \t]|$)")
_LOOKED_AT: Final = 40  # lines
BYTE_ORDER_MARK: Final = "\ufeff"


class FrontMatter(NamedTuple):
    """`yaml` is None without front-matter; `yaml_line` and `body_line` count from 1."""

    yaml: str | None
    yaml_line: int
    body: str
    body_line: int


class NotClosed(ValueError):
    """Front-matter is opened on line 1 and no line `---` follows."""


def split(text: str) -> FrontMatter:
    """The two parts of an agent's file; raises NotClosed."""
    text = text.removeprefix(BYTE_ORDER_MARK)
    opening = _OPENING.match(text)
    if opening is None:
        return FrontMatter(None, 1, text, 1)
    closing = _CLOSING.search(text, opening.end())
    if closing is None or opening[0].endswith("\r"):
        raise NotClosed
    yaml = text[opening.end() : closing.start()]
    body_line = text.count("\n", 0, closing.end()) + 1
    return FrontMatter(yaml, 2, text[closing.end() :], body_line)


def mistaken(text: str, keys: Collection[str]) -> int | None:
    """The line where something begins that looks like front-matter and is none.

    `text` has no front-matter. Blank lines before a `---` look so, and one of `keys` with a
    lone `---` below.
    """
    lines = text.removeprefix(BYTE_ORDER_MARK).split("\n", _LOOKED_AT)[:_LOOKED_AT]
    lines = [line.rstrip() for line in lines]
    first = next((number for number, line in enumerate(lines) if line), None)
    if first is None:
        return None
    key = _KEY.match(lines[first])
    is_key = key is not None and key[1] in keys and "---" in lines[first:]
    return first + 1 if lines[first] == "---" or is_key else None
