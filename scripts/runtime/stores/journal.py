"""One memory file: appended by many processes, read through an index of its newest values.

A record is one `write` to an O_APPEND descriptor under `flock`. Readers stop at the last LF:
what follows is being written. A line that is no record is counted and skipped, and hides no
other. `flock` and O_APPEND hold on local disks of one host, not on network volumes.
"""

from __future__ import annotations

import fcntl
import logging
import os
import stat
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..clock import now
from ..errors import StoreError
from .files import store_fault
from .protocol import Entry
from .record import MAX_LINE, BadLine, decode, encode

CHUNK: Final = 256 * 1024  # bytes that are read and parsed at once
MAX_KEPT: Final = 64 * 1024  # bytes of a text that the index keeps beside its place

_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
_log = logging.getLogger(__name__)


class Place(NamedTuple):
    """Where the newest value of a key stands; `entry` is kept only for short texts."""

    offset: int
    length: int
    seq: int
    entry: Entry | None


class Write(NamedTuple):
    """What is to be kept: `text` is `value` as ASCII JSON, names are checked."""

    key: str
    value: Any
    text: str
    op: str
    category: str | None = None


class Journal:
    """The file of one scope. No method waits; whoever calls `append` holds the lock."""

    def __init__(self, path: Path, scope: str, each: Callable[[Entry], None] | None = None) -> None:
        """`each` is told of every record, for who reads the file once from its beginning."""
        self.path = path
        self.scope = scope
        self._each = each
        self.users = 0
        self.is_new = False
        self._fd = -1
        self._forget()

    def _forget(self) -> None:
        self._identity: tuple[int, int] | None = None
        self._latest: dict[str, Place] = {}
        self._end = 0  # everything before it has been read
        self._skipping = False  # inside a line that is longer than any record
        self.seq = 0
        self.bad_lines = 0

    def refresh(self) -> bool:
        """Read what was appended since, one chunk of it; False while there is more."""
        return self._catch_up(self._size())

    def get(self, key: str) -> Entry | None:
        """The newest value of `key`."""
        place = self._latest.get(key)
        return None if place is None else place.entry or self._at(place, key)

    def entries(self) -> list[Entry]:
        """The newest value of each key, newest first."""
        found = (
            place.entry or self._at(place, key) for key, place in reversed(self._latest.items())
        )
        return [entry for entry in found if entry is not None]

    @property
    def count(self) -> int:
        """How many keys have a value."""
        return len(self._latest)

    def keys_after(self, seq: int) -> list[str]:
        """The keys whose newest value was written after `seq`, oldest first."""
        if seq == 0:
            return list(self._latest)
        found = takewhile(lambda pair: pair[1].seq > seq, reversed(self._latest.items()))
        return [key for key, _ in found][::-1]

    def try_lock(self) -> bool:
        """Whether the lock of the file, which is created if need be, could be had at once."""
        for _ in range(10):
            if self._fd < 0:
                self._open(create=True)
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            except OSError as error:
                raise _fault("locked", error) from error
            if self._is_current():
                return True
            self.close()
        raise StoreError("the memory file is being replaced all the time", store="memory")

    def unlock(self) -> None:
        """Let others write."""
        if self._fd >= 0:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def append(self, write: Write) -> Entry:
        """Write a record. The lock is held."""
        size = self._measured()
        while not self._catch_up(size):
            pass
        torn = size > self._end
        if torn:
            self._take_tail(size)
        key, value, text, op, category = write
        entry = Entry(key, value, self.scope, now(), self.seq + 1, op, category)
        line = encode(entry, text)
        try:
            self._write(b"\n" + line if torn else line, size)
        except StoreError:
            self._start_over()
            raise
        self._end = size + torn
        self._index(entry, len(line) - 1)
        self._end += len(line)
        return entry

    def sync_descriptor(self) -> int:
        """A duplicate of the descriptor, for an fsync that outlives the lock."""
        return os.dup(self._fd)

    def close(self) -> None:
        """Give the descriptor back and forget the index."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._forget()

    def _size(self) -> int:
        """The file's size; an index of another or a shorter file is forgotten first."""
        if self._fd < 0 and not self._open(create=False):
            return 0
        if not self._is_current():
            self.close()
            return self._size() if self._open(create=False) else 0
        return self._measured()

    def _measured(self) -> int:
        size = os.fstat(self._fd).st_size
        if size < self._end:
            self._start_over()
        return size

    def _start_over(self) -> None:
        identity = self._identity
        self._forget()
        self._identity = identity

    def _is_current(self) -> bool:
        try:
            status = os.lstat(self.path)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _fault("found", error) from error
        return (status.st_dev, status.st_ino) == self._identity

    def _open(self, *, create: bool) -> bool:
        try:
            self._fd = os.open(self.path, _FLAGS)
        except FileNotFoundError:
            if not create:
                return False
            self._create()
        except OSError as error:
            raise _fault("opened", error) from error
        status = os.fstat(self._fd)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise StoreError(f"{self.path.name} is not a regular file", store="memory")
        self._identity = (status.st_dev, status.st_ino)
        return True

    def _create(self) -> None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._fd = os.open(self.path, _FLAGS | os.O_CREAT, 0o600)
        except OSError as error:
            raise _fault("created", error) from error
        self.is_new = True

    def _write(self, data: bytes, size: int) -> None:
        try:
            written = os.write(self._fd, data)
        except OSError as error:
            self._take_back(size)
            raise _fault("written", error) from error
        if written < len(data):
            self._take_back(size)
            raise StoreError("no room is left to write memory", store="memory", status=507)

    def _take_back(self, size: int) -> None:
        try:
            os.ftruncate(self._fd, size)
        except OSError:
            # The next writer finds a torn tail, which every reader passes over.
            self.close()

    def _take_tail(self, size: int) -> None:
        """What a writer that died left behind becomes a line of its own."""
        self._take_line(self._read(min(MAX_LINE, size - self._end), self._end))

    def _catch_up(self, size: int) -> bool:
        """Index the next block; False while there may be more of them."""
        if size <= self._end:
            return True
        block, is_long = self._block(self._end, size)
        if is_long:
            self._end += len(block)
            self._skipping = True
            return False
        for line in block[:-1].split(b"\n") if block else ():
            self._take_line(line)
            self._end += len(line) + 1
        return not block or self._end >= size

    def _block(self, start: int, stop: int) -> tuple[bytes, bool]:
        """Whole lines from `start`, none if there is none yet; or a part of an endless one."""
        for length in (CHUNK, MAX_LINE + CHUNK):
            wanted = min(length, stop - start)
            block = self._read(wanted, start)
            last = block.rfind(b"\n") + 1
            if last:
                return block[:last], False
            if len(block) < wanted or wanted == stop - start:  # cut meanwhile, or being written
                return b"", False
        return block, True

    def _read(self, length: int, offset: int) -> bytes:
        try:
            return os.pread(self._fd, length, offset)
        except OSError as error:
            raise _fault("read", error) from error

    def _take_line(self, line: bytes) -> None:
        if self._skipping:
            self._skipping = False
            self._report("it is too long")
            return
        if not line:
            return
        try:
            entry = decode(line)
        except BadLine as reason:
            self._report(str(reason))
            return
        if entry.scope.casefold() != self.scope.casefold():
            self._report("it belongs to another scope")
        elif entry.seq <= self.seq:
            self._report("its number is not the next one")
        else:
            self._index(entry, len(line))

    def _report(self, reason: str) -> None:
        self.bad_lines += 1
        if self._each is None:
            _log.warning(
                "%s: the line at byte %d is skipped: %s", self.path.name, self._end, reason
            )

    def _index(self, entry: Entry, length: int) -> None:
        self.seq = entry.seq
        if entry.scope != self.scope:
            return  # a file system that ignores case keeps two scopes in one file
        if self._each is not None:
            self._each(entry)
        self._latest.pop(entry.key, None)
        if entry.op == "set":
            kept = entry if isinstance(entry.value, str) and length <= MAX_KEPT else None
            self._latest[entry.key] = Place(self._end, length, entry.seq, kept)

    def _at(self, place: Place, key: str) -> Entry | None:
        """Read a value again; when it has changed under us, so may everything have."""
        for _ in range(2):
            entry = self._decoded(place)
            if entry is not None and (entry.key, entry.seq) == (key, place.seq):
                return entry
            self._start_over()
            while not self.refresh():
                pass
            found = self._latest.get(key)
            if found is None:
                return None
            place = found
        return None

    def _decoded(self, place: Place) -> Entry | None:
        try:
            return decode(self._read(place.length, place.offset))
        except BadLine:
            return None


def _fault(done: str, error: OSError) -> StoreError:
    return store_fault(error, store="memory", done=done)
