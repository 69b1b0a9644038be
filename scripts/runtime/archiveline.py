"""One line of a backup: a write of memory or a revision of a document.

What a line is read as can be stored as it is: it is judged here, before anything is replaced.
"""

from __future__ import annotations

import json
from typing import Any, Final

from .clock import seconds_of
from .errors import BMADError
from .stores.held import MAX_BYTES
from .stores.names import check_key
from .stores.protocol import Entry, Revision
from .stores.record import (
    BadLine,
    check_entry,
    decode,
    encode,
    encode_value,
    is_time,
    seal,
    unseal,
)

MAX_REV: Final = 2**53
_REVISION: Final = {"rev": int, "etag": str, "time": str, "size": int, "author": dict, "text": str}


def write_line(entry: Entry) -> bytes:
    """The line of a write, as memory files have it."""
    return encode(entry, encode_value(entry.value))


def read_write(line: bytes, scope: str) -> Entry:
    """The write of `scope` that a line without its LF holds. Raises BadLine."""
    entry = decode(line)
    try:
        check_key(entry.key)
        check_entry(entry, scope)
        encode_value(entry.value)
    except BMADError as error:
        raise BadLine(error.message) from error
    return entry


def revision_line(revision: Revision, text: str) -> bytes:
    """The line of a revision, sealed as memory's are."""
    fields = {name: getattr(revision, name) for name in _REVISION if name != "text"}
    return seal(json.dumps({**fields, "author": dict(revision.author), "text": text}))


def read_revision(line: bytes) -> tuple[Revision, str]:
    """The revision that a line without its LF holds, and its text. Raises BadLine."""
    fields = unseal(line)
    if not isinstance(fields, dict) or list(fields) != list(_REVISION):
        raise BadLine("it is no revision")
    if any(type(fields[name]) is not kind for name, kind in _REVISION.items()):
        raise BadLine("it is no revision")
    text = fields.pop("text")
    revision = Revision(**fields)
    if not 1 <= revision.rev <= MAX_REV:
        raise BadLine("its number is none")
    if not _is_time(revision.time):
        raise BadLine("its time is not RFC 3339 in UTC")
    if not _is_author(revision.author):
        raise BadLine("its author is none")
    _check_text(text)
    return revision, text


def _is_time(text: str) -> bool:
    try:
        seconds_of(text)
    except (ValueError, OverflowError):  # a thirteenth month
        return False
    return is_time(text)


def _is_author(author: Any) -> bool:
    return "kind" in author and all(isinstance(value, str) for value in author.values())


def _check_text(text: str) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise BadLine("its text is not valid Unicode") from None
    if size > MAX_BYTES:
        raise BadLine("its text is larger than a document may be")
