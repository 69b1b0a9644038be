"""The lines of a file that grows, read a block at a time."""

from __future__ import annotations

import os
from typing import Final, NamedTuple

from .record import MAX_LINE

CHUNK: Final = 256 * 1024  # bytes that are read and parsed at once


class Line(NamedTuple):
    """A line without its LF; `text` is None when it is longer than any record."""

    offset: int
    length: int
    text: bytes | None


class Lines:
    """A reader's place in a file: everything before `end` has been taken."""

    def __init__(self, start: int = 0) -> None:
        self.end = start
        self._long: int | None = None  # where a line begins that is longer than any record

    def rewind(self) -> int:
        """Go back to where the line that has not ended begins; the byte of that."""
        if self._long is not None:
            self.end, self._long = self._long, None
        return self.end

    def take(self, descriptor: int, stop: int) -> list[Line] | None:
        """The next block of whole lines before `stop`; None when there is none (yet).

        The list is empty inside a line that is longer than any record. Raises OSError.
        """
        if stop <= self.end:
            return None
        block = self._block(descriptor, stop)
        if block is None:
            return None
        found, offset = [], self.end
        self.end += len(block)
        last = block.rfind(b"\n") + 1
        if not last:
            self._long = offset if self._long is None else self._long
            return []
        for text in block[: last - 1].split(b"\n"):
            found.append(Line(offset, len(text), text))
            offset += len(text) + 1
        if self._long is not None:
            start = self._long
            found[0] = Line(start, found[0].offset + found[0].length - start, None)
            self._long = None
        return found

    def _block(self, descriptor: int, stop: int) -> bytes | None:
        """Whole lines, or a part of an endless one; None when a line has not ended yet."""
        for length in (CHUNK, MAX_LINE + CHUNK):
            wanted = min(length, stop - self.end)
            block = os.pread(descriptor, wanted, self.end)
            last = block.rfind(b"\n") + 1
            if last:
                return block[:last]
            if len(block) < wanted or wanted == stop - self.end:  # cut meanwhile, or being written
                return None
        return block
