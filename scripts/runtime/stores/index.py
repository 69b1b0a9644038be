"""What a memory file holds, without its values: where the newest of each key stands."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import takewhile
from typing import Final

from .protocol import Entry

HISTORY: Final = 1000  # writes of a scope that a compaction keeps beside the newest of each key
MAX_KEPT: Final = 64 * 1024  # bytes of a text that is kept beside its place
MAX_KEPT_ALL: Final = 2**20  # bytes of all of them, in one file

# Offset, length without the LF, seq, and the entry itself: only of short texts.
Place = tuple[int, int, int, Entry | None]


class Index:
    """The newest value of each key, in the order of their writes, and the last writes of all.

    `live` is the number of bytes that a compaction would keep.
    """

    def __init__(self, history: int = HISTORY) -> None:
        """`history` is at least 1: the last number of all must not be forgotten."""
        self.latest: dict[str, Place] = {}
        self.seq = 0
        self.live = 0
        self._recent: deque[tuple[str, int, int]] = deque()
        self._history = history
        self._kept = 0

    def add(self, key: str, op: str, place: Place) -> None:
        """The next record."""
        offset, length, self.seq, entry = place
        latest, recent = self.latest, self._recent
        live = self.live + length + 1
        before = latest.pop(key, None)
        if before is not None:
            if before[3] is not None:
                self._kept -= before[1]
            if before[0] < recent[0][1]:
                live -= before[1] + 1
        recent.append((key, offset, length))
        if op == "set":
            if entry is not None:
                place = self._bounded(place, length)
            latest[key] = place
        if len(recent) > self._history:
            key, offset, length = recent.popleft()
            newest = latest.get(key)
            if newest is None or newest[0] != offset:
                live -= length + 1
        self.live = live

    def keep(self, key: str, entry: Entry) -> None:
        """Remember the newest value of `key`, which was read, if it is a short text."""
        offset, length, seq, known = self.latest[key]
        if known is None and type(entry.value) is str:
            self.latest[key] = self._bounded((offset, length, seq, entry), length)

    def after(self, seq: int) -> list[str]:
        """The keys whose newest value was written after `seq`, oldest first."""
        found = takewhile(lambda pair: pair[1][2] > seq, reversed(self.latest.items()))
        return [key for key, _ in found][::-1]

    def plan(self) -> Callable[[], list[tuple[int, int]]]:
        """Tells offset and length of each record that a compaction keeps, by offset.

        It is of this moment, and may be asked in another thread.
        """
        latest, recent = self.latest.copy(), list(self._recent)

        def places() -> list[tuple[int, int]]:
            found = {place[0]: place[1] for place in latest.values()}
            found.update((offset, length) for _, offset, length in recent)
            return sorted(found.items())

        return places

    def _bounded(self, place: Place, length: int) -> Place:
        if length > MAX_KEPT or self._kept + length > MAX_KEPT_ALL:
            return (*place[:3], None)
        self._kept += length
        return place
