"""One memory file: appended by many processes, read through an index of its newest values.

A record is one `write` to an O_APPEND descriptor under `flock`. Readers stop at the last LF:
what follows is being written. A line that is no record is counted, quarantined and skipped,
and hides no other. `flock` and O_APPEND hold on local disks of one host, not on network volumes.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from fcntl import LOCK_UN, flock
from os import SEEK_END, lseek, lstat
from pathlib import Path
from stat import S_ISREG
from time import monotonic, time_ns
from typing import Any, Final

from ..clock import now
from ..errors import StoreError
from . import quarantine
from .files import store_fault
from .index import HISTORY, Index, Place
from .lines import CHUNK, Line, Lines
from .protocol import Entry
from .record import MAX_LINE, BadLine, decode, encode, glance
from .turn import Folder

SPINS: Final = 10  # others hold the lock for microseconds
SETTLED_NS: Final = 50_000_000
SURE_SECONDS: Final = 0.001  # so long an unchanged size is enough for a writer

_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_READ_ONLY: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_NOW: Final = fcntl.LOCK_EX | fcntl.LOCK_NB
_log = logging.getLogger(__name__)

# Key, value, the value as ASCII JSON, `set` or `delete`, category: names are checked ones.
Write = tuple[str, Any, str, str, str | None]


class Journal:
    """The file of one scope. No method waits, and none returns with the file's lock."""

    def __init__(
        self,
        path: Path | str,
        scope: str,
        history: int = HISTORY,
        folder: Folder | None = None,
    ) -> None:
        """`history` is how many of the last writes a compaction keeps; `folder` may be shared."""
        self.scope = scope
        self.users = 0
        self.is_new = False
        self.torn_tails = 0
        self._name = str(path)
        self._folder = folder or Folder(self._name.rpartition("/")[0] or ".")
        self._unchanged = -1  # the folder's time of change when the path was looked at
        self._history = history
        self._fd = -1
        self._size = 0
        self._forget()

    def _forget(self) -> None:
        self.identity: tuple[int, int] | None = None
        self.index = Index(self._history)
        self.bad_lines = 0
        self.is_safe = True  # damaged lines, if any, have been copied to the quarantine
        self._lines = Lines()
        self._sure_size = -1  # what it was when we looked, or gave the lock back
        self._sure_until = 0.0
        self._lost = 0  # damaged lines at the end: their numbers are not given again
        self._distrusts = False  # a value was no JSON, so values are looked at when indexing

    @property
    def path(self) -> Path:
        """Where the file is."""
        return Path(self._name)

    @property
    def end(self) -> int:
        """What has been read, in bytes."""
        return self._lines.end

    def refresh(self) -> bool:
        """Read what was appended since, one block of it; False while there is more."""
        if self._fd >= 0:
            size = lseek(self._fd, 0, SEEK_END)
            if self._is_current(size, now=True):
                if size == self._lines.end:
                    self._sure_size, self._sure_until = size, monotonic() + SURE_SECONDS
                    return True
                return self._catch_up(size)
            self.close()
        return not self._open(create=False) or self._catch_up(os.fstat(self._fd).st_size)

    def get(self, key: str) -> Entry | None:
        """The newest value of `key`."""
        place = self.index.latest.get(key)
        return None if place is None else place[3] or self._at(place, key)

    def keys(self) -> list[str]:
        """All keys that have a value, the newest first."""
        return list(reversed(self.index.latest))

    def entries(self) -> list[Entry]:
        """The newest value of each key, newest first."""
        found = [place[3] for place in reversed(self.index.latest.values())]
        if not all(found):  # longer texts and other values are read
            found = [self.get(key) for key in self.keys()]
        return [entry for entry in found if entry is not None]

    def append(
        self, key: str, value: Any, text: str, op: str, category: str | None, *, patient: bool
    ) -> Entry | None:
        """Append a Write; None when it is others' turn, or they wrote much to be read first.

        Whoever is `patient` has waited: reads that now, however much, and lets nobody go first.
        """
        if not (patient or self._folder.is_free()) or not self._try_lock():
            return None
        try:
            if self._size != self._lines.end:
                if not patient and self._size - self._lines.end > CHUNK:
                    return None
                self._take_over()
            index, offset = self.index, self._lines.end
            seq = index.seq + 1 + self._lost
            entry = Entry(key, value, self.scope, now(), seq, op, category)
            line = encode(entry, text)
            self._write(line)
            index.add(key, op, (offset, len(line) - 1, seq, entry if type(value) is str else None))
            self._lost = 0
            self._lines.end = self._sure_size = offset + len(line)
            return entry
        finally:
            if self._fd >= 0:
                flock(self._fd, LOCK_UN)

    def sync_descriptor(self) -> int:
        """A duplicate of the descriptor, for an fsync that may outlive it."""
        return os.dup(self._fd)

    def close(self) -> None:
        """Give the descriptor back and forget the index."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._forget()

    def _try_lock(self) -> bool:
        """Whether the lock of the file, which is created if need be, could be had at once."""
        for _ in range(SPINS):
            if self._fd < 0:
                self._open(create=True)
            try:
                flock(self._fd, _NOW)
            except BlockingIOError:
                continue
            except OSError as error:
                raise _fault("locked", error) from error
            self._size = size = lseek(self._fd, 0, SEEK_END)
            if size == self._sure_size and monotonic() < self._sure_until:
                return True
            if self._is_current(size, now=False):
                self._sure_size, self._sure_until = size, monotonic() + SURE_SECONDS
                return True
            self.close()
        return False

    def _is_current(self, size: int, *, now: bool) -> bool:
        """Whether the path still names our file.

        Under its lock, whoever replaces a file here first adds a byte to it; what people do
        with their hands changes the folder's time. The file itself is looked at only then: on
        Linux since 6.13 a `stat` makes the next write of a file several times as dear.
        """
        try:
            changed = self._folder.changed(now=now)
            if changed == self._unchanged and size == self._lines.end:
                return True
            is_settled = time_ns() - changed > SETTLED_NS
            self._unchanged = changed if is_settled else -1  # a clock's tick may hold two changes
            status = lstat(self._name)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _fault("found", error) from error
        return (status.st_dev, status.st_ino) == self.identity

    def _take_over(self) -> None:
        """Under the lock: read the rest, and drop what a writer that died left at the end."""
        while not self._catch_up(self._size):
            pass
        start = self._lines.rewind()
        if self._size == start:
            return
        tail = self._read(min(MAX_LINE + 1, self._size - start), start)
        try:
            glance(tail)
        except BadLine:
            _log.warning(
                "%s: %d bytes of a write that was never finished are dropped",
                self.path.name,
                self._size - start,
            )
            self.torn_tails += 1
            self._cut(start)
        else:  # all but its LF
            self._write(b"\n")
            self._catch_up(self._size + 1)
        self._size = self._lines.end

    def _open(self, *, create: bool) -> bool:
        try:
            self._fd = self._created() if create else self._found()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _fault("opened", error) from error
        status = os.fstat(self._fd)
        if not S_ISREG(status.st_mode):
            self.close()
            raise StoreError(f"{self.path.name} is not a regular file", store="memory")
        self.identity = (status.st_dev, status.st_ino)
        self.is_new = self.is_new or not status.st_size
        return True

    def _found(self) -> int:
        """What may only be read, as in a snapshot or on a faulty disk, is read all the same."""
        try:
            return os.open(self._name, _FLAGS)
        except OSError as error:
            if error.errno not in (errno.EROFS, errno.EACCES):
                raise
            return os.open(self._name, _READ_ONLY)

    def _created(self) -> int:
        try:
            return os.open(self._name, _FLAGS | os.O_CREAT, 0o600)
        except FileNotFoundError:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self._name, _FLAGS | os.O_CREAT, 0o600)

    def _write(self, data: bytes) -> None:
        """Append in one piece, or not at all."""
        try:
            written = os.write(self._fd, data)
        except OSError as error:
            self._cut(self._size)
            if error.errno == errno.EBADF:  # it was opened to be read
                message = f"memory cannot be written: {self.path.name} may only be read"
                raise StoreError(message, store="memory") from error
            raise _fault("written", error) from error
        if written < len(data):
            self._cut(self._size)
            raise StoreError("no room is left to write memory", store="memory", status=507)

    def _cut(self, size: int) -> None:
        try:
            os.ftruncate(self._fd, size)
        except OSError:
            # The next writer finds a torn tail, which every reader passes over.
            self.close()

    def _catch_up(self, size: int) -> bool:
        """Index the next block; False while there may be more of them."""
        if size < self._lines.end:
            self._start_over()
        try:
            lines = self._lines.take(self._fd, size)
        except OSError as error:
            raise _fault("read", error) from error
        for line in lines or ():
            self._take(line)
        return lines is None or self._lines.end >= size

    def _take(self, line: Line) -> None:
        offset, length, text = line
        if text is None:
            self._report(line, "it is too long")
            return
        if not text:
            return
        try:
            head = glance(text)
            if self._distrusts:
                decode(text)
        except BadLine as reason:
            self._report(line, str(reason))
            return
        if head.scope.casefold() != self.scope.casefold():
            self._report(line, "it belongs to another scope")
        elif head.seq <= self.index.seq:
            self._report(line, "its number is not the next one")
        elif head.scope == self.scope:
            self._lost = 0
            self.index.add(head.key, head.op, (offset, length, head.seq, None))
        else:  # a file system that ignores case keeps two scopes in one file
            self.index.seq = head.seq

    def _report(self, line: Line, reason: str) -> None:
        self.bad_lines += 1
        self._lost += 1
        try:
            quarantine.keep(self.path, self._fd, line.offset, line.length)
        except OSError as error:
            self.is_safe = False
            reason = f"{reason}; it cannot be quarantined: {error.strerror}"
        _log.warning("%s: the line at byte %d is skipped: %s", self.path.name, line.offset, reason)

    def _read(self, length: int, offset: int) -> bytes:
        try:
            return os.pread(self._fd, length, offset)
        except OSError as error:
            raise _fault("read", error) from error

    def _start_over(self) -> None:
        identity = self.identity
        self._forget()
        self.identity = identity

    def _at(self, place: Place, key: str) -> Entry | None:
        """Read a value again; when it has changed under us, so may everything have."""
        for _ in range(2):
            entry = self._decoded(place)
            if entry is not None and (entry.key, entry.seq) == (key, place[2]):
                self.index.keep(key, entry)
                return entry
            self._start_over()
            self._distrusts = True
            while not self.refresh():
                pass
            found = self.index.latest.get(key)
            if found is None:
                return None
            place = found
        return None

    def _decoded(self, place: Place) -> Entry | None:
        try:
            return decode(self._read(place[1], place[0]))
        except BadLine:
            return None


def _fault(done: str, error: OSError) -> StoreError:
    return store_fault(error, store="memory", done=done)
