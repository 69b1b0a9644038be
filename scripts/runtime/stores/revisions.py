"""The revisions of one document: a file that only grows, locked while it is written.

Each line is a revision with its text, sealed as memory's records are. It is written *before* the
document takes its place, and names the file in `new/` that will become the document: as long as
that file is still there the write was never done, and whoever comes next cuts the line off. So
the renaming alone decides, and a writer that is killed leaves no half of it behind.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import logging
import os
import secrets
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ..clock import rfc3339
from ..errors import StoreError
from .files import inherit_open, sync_folder
from .jsonstring import json_string
from .protocol import Revision
from .record import BadLine, seal, unseal

MAX_BYTES: Final = 64 * 2**20  # of one document's revisions; the newest is kept whatever its size

_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_READ_ONLY: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_FRESH: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_log = logging.getLogger(__name__)

# The inode, the time of change and the size of a document's file: one of them changes with an edit.
Stamp = tuple[int, int, int]


def stamp_of(status: os.stat_result) -> Stamp:
    """What tells that a file is still as it was."""
    return status.st_ino, status.st_mtime_ns, status.st_size


def digest(data: bytes) -> str:
    """What an etag is made of: as good as the whole for telling two texts apart."""
    return hashlib.sha256(data).hexdigest()[:32]


@dataclass(slots=True)
class Head:
    """A history without its texts; it holds for a file that has this `inode`, `created` as its
    time of change, and `tail` as the bytes before `size`: inodes are used again.

    `created` is in nanoseconds, `etag` unquoted, empty when the newest line is damaged;
    `is_text` tells whether the document can be a revision as it is.
    """

    inode: int
    size: int
    count: int = 0
    rev: int = 0
    etag: str = ""
    created: int = 0
    stamp: Stamp = (0, 0, 0)
    is_text: bool = True
    tail: bytes = b""

    def is_due(self, keep: int) -> bool:
        """Whether there are so many more than `keep`, or so large ones, that the oldest go."""
        return self.count > 2 * keep + 8 or self.size > MAX_BYTES + MAX_BYTES // 4

    def may_be_due(self, keep: int, size: int) -> bool:
        """Whether that might be so behind one more, of a text of `size` bytes."""
        longest = 6 * size + 1000  # where each byte has to be escaped
        return replace(self, count=self.count + 1, size=self.size + longest).is_due(keep)


@dataclass(frozen=True, slots=True)
class Draft:
    """A revision to be written; `time` in Unix seconds, `new` the name of its file in `new/`."""

    text: str
    etag: str
    time: float
    size: int
    author: Mapping[str, str]
    stamp: Stamp
    new: str = ""


class History:
    """The open, locked file of one document's revisions. All calls may raise OSError."""

    def __init__(self, path: str, descriptor: int, status: os.stat_result) -> None:
        self.head = Head(status.st_ino, status.st_size, created=status.st_mtime_ns)
        self._path = path
        self._fd = descriptor

    @classmethod
    def lock(cls, path: str) -> History | None:
        """Ours, or None when others hold it, or have just removed or replaced it."""
        descriptor = _opened(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise StoreError("a document's history is not a regular file", store="documents")
            if status.st_nlink:
                return cls(path, descriptor, status)
        except BlockingIOError:
            pass  # its holder may take long
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)

    def remove(self) -> None:
        """There is no document any more."""
        Path(self._path).unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget what there was: it was another document of the same name."""
        os.ftruncate(self._fd, 0)
        self.head = Head(self.head.inode, 0)

    def unread(self, known: Head | None) -> int:
        """How many bytes `load` would have to read."""
        return self.head.size - (known.size if known and self._continues(known) else 0)

    def _continues(self, known: Head) -> bool:
        head = self.head
        same = (known.inode, known.created) == (head.inode, head.created)
        if not same or known.size > head.size:
            return False
        start = known.size - len(known.tail)
        return os.pread(self._fd, len(known.tail), start) == known.tail

    def load(self, known: Head | None, new: Path) -> None:
        """Read what is not known yet; cut off what was torn, or never done.

        `new` is the folder with the files of unfinished writes.
        """
        head, start = self.head, 0
        if known is not None and self._continues(known):
            head, start = replace(known, size=head.size), known.size
        *lines, tail = self._read(start).split(b"\n") if start < head.size else (b"",)
        if tail:
            _log.warning("%s: a torn line is dropped", self._name)
            head.size -= len(tail)
            os.ftruncate(self._fd, head.size)
        if lines and (name := _unfinished(lines[-1], new)):
            head.size -= len(lines.pop()) + 1
            os.ftruncate(self._fd, head.size)
            (new / name).unlink(missing_ok=True)
        self.head = self._advanced(head, lines)

    def _advanced(self, head: Head, lines: Sequence[bytes]) -> Head:
        """The head behind these lines: what the newest sound one says, if there is any."""
        head.count += len(lines)
        if lines:
            head.tail = _tail(lines[-1] + b"\n")
        for damaged, line in enumerate(reversed(lines)):
            try:
                found = _parsed(line)
                head.created = min(head.created, found["created"])
                head.stamp = tuple(found["stamp"])
                head.rev, head.etag = found["rev"] + damaged, "" if damaged else found["etag"]
                return head
            except BadLine as reason:
                _log.warning("%s: a revision is lost: %s", self._name, reason)
        if lines:
            head.rev, head.etag, head.stamp = head.rev + len(lines), "", (0, 0, 0)
        return head

    def append(self, draft: Draft, created: int) -> None:
        """Add a revision. Raises OSError and StoreError (507); then nothing has changed."""
        head = self.head
        data = _line(head.rev + 1, created, draft)
        try:
            written = os.write(self._fd, data)
            if written < len(data):
                raise StoreError("no room is left for the revision", store="documents", status=507)
        except BaseException:
            os.ftruncate(self._fd, head.size)
            raise
        self.head = Head(
            head.inode,
            head.size + len(data),
            head.count + 1,
            head.rev + 1,
            draft.etag,
            created,
            draft.stamp,
            tail=_tail(data),
        )

    def take_back(self, before: Head) -> None:
        """Undo the last `append`."""
        os.ftruncate(self._fd, before.size)
        self.head = before

    def sync(self) -> None:
        """Make it outlive a power cut, its name included when it is new."""
        os.fsync(self._fd)
        if self.head.count == 1:
            sync_folder(Path(self._path).parent)

    def date(self, created: int) -> None:
        """The time of change of this file is when the document was made: cheap to look up."""
        os.utime(self._fd, ns=(created, created))

    def kept(self, keep: int) -> Iterator[tuple[Revision, str]]:
        """The newest `keep` revisions with their texts, oldest first; damaged ones are left out."""
        for line in self._lines()[-keep:]:
            try:
                found = _parsed(line)
            except BadLine as reason:
                _log.warning("%s: a revision is lost: %s", self._name, reason)
                continue
            etag, time = f'"{found["etag"]}"', rfc3339(found["time"])
            yield (
                Revision(found["rev"], etag, time, found["size"], found["author"]),
                found["text"],
            )

    def trim(self, keep: int, new: Path, *, durable: bool) -> None:
        """Forget the oldest revisions: those behind `keep`, and those behind MAX_BYTES."""
        head = self.head
        kept, size = [b""], 0
        for line in reversed(self._lines()[-keep:]):
            size += len(line) + 1
            if size > MAX_BYTES and len(kept) > 1:
                break
            kept.append(line)
        self.replace(b"\n".join(reversed(kept)), new, durable=durable)
        self.head = replace(self.head, count=len(kept) - 1, rev=head.rev, etag=head.etag)
        self.head.created, self.head.stamp = head.created, head.stamp
        self.date(head.created)

    def replace(self, data: bytes, new: Path, *, durable: bool) -> None:
        """Put a file with these lines in place of this one; it is ours from its first moment on."""
        path = new / f"~{secrets.token_hex(12)}"
        descriptor = os.open(path, _FRESH, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with open(descriptor, "wb", closefd=False) as file:
                file.write(data)
            inherit_open(descriptor, os.fstat(self._fd))
            os.fsync(descriptor)
            path.replace(self._path)
        except BaseException:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        os.close(self._fd)
        self._fd = descriptor
        self.head = Head(os.fstat(descriptor).st_ino, len(data), tail=_tail(data))
        if durable:
            sync_folder(Path(self._path).parent)

    def _lines(self) -> list[bytes]:
        return self._read(0).split(b"\n")[:-1]

    def _read(self, start: int) -> bytes:
        parts = []
        while part := os.pread(self._fd, 1 << 20, start):
            parts.append(part)
            start += len(part)
        return b"".join(parts)

    @property
    def _name(self) -> str:
        return self._path.rpartition("/")[2]


def _opened(path: str) -> int:
    try:
        return os.open(path, _FLAGS, 0o600)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        return os.open(path, _READ_ONLY)  # as in a snapshot, where nobody writes


def _tail(data: bytes) -> bytes:
    """The end of a file: it holds the checksum of its last line."""
    return data[-12:]


def line_of(revision: Revision, text: str, time: float, created: int) -> bytes:
    """The line of a revision that comes from elsewhere."""
    data = text.encode()
    draft = Draft(text, digest(data), time, len(data), dict(revision.author), (0, 0, 0))
    return _line(revision.rev, created, draft)


def _line(rev: int, created: int, draft: Draft) -> bytes:
    inode, changed, size = draft.stamp
    return seal(
        f'{{"rev":{rev},"time":{draft.time!r},"etag":"{draft.etag}","size":{draft.size},'
        f'"created":{created},"stamp":[{inode},{changed},{size}],"new":"{draft.new}",'
        f'"author":{json.dumps(draft.author)},"text":{json_string(draft.text)}}}'
    )


def _parsed(line: bytes) -> dict[str, Any]:
    """The fields of a line. Raises BadLine."""
    found = unseal(line)
    if not isinstance(found, dict) or not isinstance(found.get("text"), str):
        raise BadLine("it is none of ours")
    return found


def _unfinished(line: bytes, new: Path) -> str | None:
    """The name of the file that this line's write did not come to put in its place."""
    try:
        name = str(_parsed(line)["new"])
    except (BadLine, KeyError):
        return None
    return name if name and os.path.lexists(new / name) else None
