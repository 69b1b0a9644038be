"""Memory files that are read from their beginning to their end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from .files import open_regular, regular
from .lines import Line, Lines
from .protocol import Entry
from .record import MAX_LINE, BadLine, decode, glance


def each_line(path: Path) -> Iterator[Line]:
    """All lines that are there now. Raises OSError."""
    descriptor = open_regular(path)
    if descriptor is None:
        return
    try:
        size, lines = os.fstat(descriptor).st_size, Lines()
        while (block := lines.take(descriptor, size)) is not None:
            yield from block
    finally:
        os.close(descriptor)


def unended(path: Path) -> Iterator[Line]:
    """What stands behind the last LF, if anything. Raises OSError."""
    end = 0
    for line in each_line(path):
        end = line.offset + line.length + 1
    length = size_of(path) - end
    if length > 0:
        with path.open("rb") as file:
            file.seek(end)
            yield Line(end, length, file.read(length) if length <= MAX_LINE else None)


def size_of(path: Path) -> int:
    """Bytes of a regular file, 0 for anything else. Raises OSError."""
    status = regular(path)
    return 0 if status is None else status.st_size


def writes(path: Path, scope: str, key: str | None = None) -> list[Entry]:
    """All writes of a scope, or of one key, in their order. Raises OSError."""
    found, seq = [], 0
    for line in each_line(path):
        if not line.text:
            continue
        try:
            head = glance(line.text)
            if head.seq > seq and head.scope == scope and key in (None, head.key):
                found.append(decode(line.text))
        except BadLine:
            continue  # reported by who serves the file
        seq = max(seq, head.seq)
    return found


def first_scope(path: Path) -> str | None:
    """The scope that the first line of a file names; None when it has no such line."""
    descriptor = open_regular(path)
    if descriptor is None:
        return None
    with os.fdopen(descriptor, "rb") as file:
        try:
            return glance(file.readline(MAX_LINE).removesuffix(b"\n")).scope
        except BadLine:
            return None
