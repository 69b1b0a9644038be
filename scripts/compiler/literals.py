"""The one filter between an author's text and Python source.

Every function returns source that `ast.literal_eval` reads back as the same text,
that ruff and black leave as it is, and that a reader who translates line ends
cannot change. Which characters are escaped is written out here, so that it does
not depend on the Unicode tables of the running Python.
"""

from __future__ import annotations

import re
from typing import Final

_SHORT: Final = {"\0": "\\x00", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\\": "\\\\"}
# Controls, and what a reader cannot see or what turns the direction of the line.
_UNSEEN: Final = (
    (0x00, 0x1F),
    (0x7F, 0x9F),
    (0xAD, 0xAD),
    (0x061C, 0x061C),
    (0x180E, 0x180E),
    (0x200B, 0x200B),
    (0x200E, 0x200F),
    (0x2028, 0x202E),
    (0x2060, 0x206F),
    (0xFEFF, 0xFEFF),
    (0xFFF0, 0xFFFB),
    (0xD800, 0xDFFF),
    (0xFFFE, 0xFFFF),
    (0xE0000, 0xE0FFF),
)
_QUOTES: Final = re.compile(r'"{3,}|"+\Z')
_CODING: Final = re.compile(r"(coding)([:=])", re.IGNORECASE)


def _escape(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_LINE: Final = {
    code: _SHORT.get(chr(code), _escape(code))
    for first, last in _UNSEEN
    for code in range(first, last + 1)
} | {ord("\\"): "\\\\"}
_STRING: Final = _LINE | {ord('"'): '\\"'}
_PROSE: Final = {code: text for code, text in _LINE.items() if chr(code) not in "\n\t"}


def string(text: str) -> str:
    """A double-quoted literal on one line."""
    return f'"{text.translate(_STRING)}"'


def prose(text: str) -> str:
    """A literal that shows `text` line by line, unindented, as the author wrote it."""
    if not text:
        return '""'
    return f'"""\\\n{_quoted(text.translate(_PROSE))}"""'


def docstring(text: str) -> str:
    """A one-line docstring; formatters trim its ends, so nothing at an end is trimmable."""
    first, middle, last = text[:1], text[1:-1], text[1:][-1:]
    body = _edge(first) + _quoted(middle.translate(_LINE)) + _edge(last)
    return f'"""{body}"""'


def comment(text: str) -> str:
    """Text that stays on its comment's line and names no encoding to Python."""
    return _CODING.sub(lambda found: found[1] + _escape(ord(found[2])), text.translate(_LINE))


def _edge(character: str) -> str:
    if character == '"' or character.isspace():
        return _escape(ord(character))
    return character.translate(_LINE)


def _quoted(body: str) -> str:
    return _QUOTES.sub(lambda run: '\\"' * len(run[0]), body)
