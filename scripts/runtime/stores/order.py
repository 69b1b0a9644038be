"""Which of two writes is the later one, for all processes of a host, whatever the clock says."""

from __future__ import annotations

import fcntl
import math
import os
import struct
from pathlib import Path
from typing import Final

_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_TIME: Final = struct.Struct("<d")
_FIRST: Final = 1.0  # what comes after it is written without a negative exponent
_LAST: Final = 1e30  # no clock tells such a time: the file is damaged
_SPINS: Final = 10  # others hold the lock for microseconds


class Order:
    """Times that only grow, in seconds: the clock's as long as that goes on.

    The last one that anybody was given stands in the file at `path`. It is never synced: what it
    would have said after a power cut is in the lines that bear these times.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    @property
    def is_open(self) -> bool:
        """Whether it has begun."""
        return self._fd >= 0

    def begin(self, known: float) -> None:
        """Open the file; all times that are given from now on are after `known`. Raises OSError."""
        self.close()
        self._fd = os.open(self._path, _FLAGS, 0o600)
        try:
            self.next(known)
        except BaseException:
            self.close()
            raise

    def next(self, time: float) -> float:
        """The clock's `time`, or a moment after the last one where that is not before it.

        To be asked between `begin` and `close`. Raises OSError.
        """
        self._lock()
        try:
            last = self._last()
            given = time if time > last else math.nextafter(last, math.inf)
            os.pwrite(self._fd, _TIME.pack(given), 0)
            return given
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the file back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _lock(self) -> None:
        """If it can be had: who holds it and is stopped must not stop the others.

        Without it two processes may be given the same time, or one before another's of the same
        moment, and only while the clock is behind.
        """
        for _ in range(_SPINS):
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            return

    def _last(self) -> float:
        data = os.pread(self._fd, _TIME.size, 0)
        last: float = _TIME.unpack(data)[0] if len(data) == _TIME.size else _FIRST
        return max(last, _FIRST) if last < _LAST else _FIRST
