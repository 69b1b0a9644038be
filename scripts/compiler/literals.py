"""The one filter between an author's text and Python source.

Every function returns source that `ast.literal_eval` reads back as the same text,
that ruff and black leave as it is, and that a reader who translates line ends
cannot change. Which characters are escaped is written out here, so that it does
not depend on the Unicode tables of the running Python.
"""

from __future__ import annotations

import re
from typing import Final

_SHORT: Final = {"\t": "\\t", "\n": "\\n", "\r": "\\r", "\\": "\\\\"}
# Controls, and what a reader cannot see or what turns the direction of the line.
_UNSEEN: Final = (
    "\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff0-\ufffb\ud800-\udfff\ufffe\uffff\U000e0000-\U000e0fff"
)
_LINE: Final = re.compile(rf"[\x00-\x1f\\{_UNSEEN}]")
# At the end of a line, linters refuse a blank and editors remove it.
_BLANK: Final = " \t\xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
_PROSE: Final = re.compile(rf"[\x00-\x08\x0b-\x1f\\{_UNSEEN}]|[{_BLANK}](?=\n)")
_QUOTES: Final = re.compile(r'"{3,}|"+\Z')
_CODING: Final = re.compile(r"(coding)([:=])", re.IGNORECASE)


def _escape(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escaped(found: re.Match[str]) -> str:
    return _SHORT.get(found[0]) or _escape(ord(found[0]))


def string(text: str) -> str:
    """A literal on one line, in double quotes unless single ones need fewer escapes."""
    body = _LINE.sub(_escaped, text)
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + body.replace(quote, "\\" + quote) + quote


def prose(text: str) -> str:
    """A literal that shows `text` line by line, unindented, as the author wrote it."""
    if not text:
        return '""'
    return f'"""\\\n{_quoted(_PROSE.sub(_escaped, text))}"""'


def docstring(text: str) -> str:
    """A one-line docstring; formatters trim its ends, so nothing at an end is trimmable."""
    first, middle, last = text[:1], text[1:-1], text[1:][-1:]
    body = _edge(first) + _quoted(_LINE.sub(_escaped, middle)) + _edge(last)
    return f'"""{body}"""'


def comment(text: str) -> str:
    """Text that stays on its comment's line and names no encoding to Python."""
    return _CODING.sub(lambda found: found[1] + _escape(ord(found[2])), _LINE.sub(_escaped, text))


def _edge(character: str) -> str:
    if character == '"' or character.isspace():
        return _escape(ord(character))
    return _LINE.sub(_escaped, character)


def _quoted(body: str) -> str:
    if '"""' not in body and not body.endswith('"'):
        return body
    return _QUOTES.sub(lambda run: '\\"' * len(run[0]), body)
