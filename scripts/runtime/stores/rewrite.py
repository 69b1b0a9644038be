"""Memory files that are written anew: compacted, restored, repaired.

The new file is written beside the old one, synced, and takes its place under the old one's
lock; its own lock is held until its name is on the disk, so that nobody writes to it before.
Killed at any moment, the old file or the new one stands there, whole.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from ..errors import StoreError
from .files import inherit_open, open_regular, store_fault, sync_folder
from .record import BadLine, glance
from .turn import PAUSE, Turn

LOCK_SECONDS: Final = 5.0
CHUNK: Final = 2**20

_OLD: Final = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_NEW: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NOW: Final = fcntl.LOCK_EX | fcntl.LOCK_NB

Identity = tuple[int, int]


class Abandoned(Exception):
    """The file is not what it was any more, or the service stops; nothing has changed."""


def compact(
    path: Path,
    identity: Identity,
    places: Sequence[tuple[int, int]],
    end: int,
    stop: threading.Event | None = None,
) -> int:
    """Keep only the records at `places` before `end` (offset, length), and what came since.

    The number of bytes saved. Writers go on meanwhile and wait only for the last of it. Raises
    Abandoned when the file is another one by now, and StoreError.
    """
    try:
        old = os.open(path, _OLD)
    except FileNotFoundError:
        raise Abandoned from None
    except OSError as error:
        raise store_fault(error, store="memory", done="compacted") from error
    try:
        with _new_file(path) as (new, name):
            _copy_records(old, new, places, stop)
            os.fsync(new)
            _lock(path, old, identity)
            size = os.fstat(old).st_size
            saved = size - _copy_rest(old, new, end, size)
            _take_place(name, path, new, old)
            return saved
    except OSError as error:
        raise store_fault(error, store="memory", done="compacted") from error
    finally:
        os.close(old)


def replace(path: Path, data: bytes) -> None:
    """Put `data` in the place of the file, whole or not at all. Raises StoreError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(path) as old:
            replace_locked(path, old, data)
    except OSError as error:
        raise store_fault(error, store="memory", done="replaced") from error


def replace_locked(path: Path, old: int, data: bytes) -> None:
    """The same, where `old` is a descriptor that `locked` gave. Raises OSError."""
    with _new_file(path) as (new, name):
        _write(new, data)
        _take_place(name, path, new, old)


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """A descriptor of the file, made if need be, that no one else writes to. Raises OSError."""
    old = _locked(path)
    try:
        yield old
    finally:
        os.close(old)


def _locked(path: Path) -> int:
    while True:
        old = os.open(path, _OLD | os.O_CREAT, 0o600)
        try:
            _lock(path, old, None)
        except Abandoned:
            os.close(old)
        except BaseException:
            os.close(old)
            raise
        else:
            return old


def sweep(folder: Path) -> int:
    """Remove what writers that were killed left beside the files; how many."""
    removed = 0
    for name in folder.glob("*.jsonl.*-*.tmp"):
        descriptor = open_regular(name)
        if descriptor is None:
            continue  # gone, or none of ours
        try:
            with suppress(FileNotFoundError, BlockingIOError):
                fcntl.flock(descriptor, _NOW)  # whoever still writes it holds its lock
                name.unlink()
                removed += 1
        finally:
            os.close(descriptor)
    return removed


@contextmanager
def _new_file(path: Path) -> Iterator[tuple[int, Path]]:
    """An empty file beside `path`, locked by us; gone afterwards unless it was renamed."""
    descriptor, name = _created(path)
    try:
        yield descriptor, name
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)  # noqa: PTH108 - as below
        os.close(descriptor)


def _created(path: Path) -> tuple[int, Path]:
    while True:
        name = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(6)}.tmp")
        descriptor = os.open(name, _NEW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:  # else swept, between the two calls
                return descriptor, name
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _take_place(name: Path, path: Path, new: int, old: int) -> None:
    inherit_open(new, os.fstat(old))
    os.fsync(new)
    # An empty line tells whoever has the old file open to look where its name leads now.
    os.write(old, b"\n")
    os.replace(name, path)  # noqa: PTH105 - as all calls here, so that a test can fail the n-th
    sync_folder(path.parent)


def _lock(path: Path, descriptor: int, identity: Identity | None) -> None:
    """Wait for the lock of the file behind `descriptor`. Raises Abandoned when it is another."""
    _wait_for_lock(str(path.parent), descriptor)
    ours = os.fstat(descriptor)
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        raise Abandoned from None
    if not os.path.samestat(status, ours) or identity not in (None, (ours.st_dev, ours.st_ino)):
        raise Abandoned


def _wait_for_lock(folder: str, descriptor: int) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    with closing(Turn(folder)) as turn:
        while True:
            try:
                fcntl.flock(descriptor, _NOW)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    message = "the memory file stays locked by others"
                    raise StoreError(message, store="memory", status=503) from None
            turn.insist()
            time.sleep(PAUSE)


def _copy_records(
    old: int, new: int, places: Sequence[tuple[int, int]], stop: threading.Event | None
) -> None:
    """Every record is looked at once more: an index that has become wrong must not cost one."""
    parts: list[bytes] = []
    waiting = 0
    for offset, length in places:
        line = os.pread(old, length + 1, offset)
        try:
            glance(line[:-1])
        except BadLine:
            raise Abandoned from None
        parts.append(line)
        waiting += len(line)
        if waiting > CHUNK:
            _write(new, b"".join(parts))
            parts, waiting = [], 0
            if stop is not None and stop.is_set():
                raise Abandoned
    _write(new, b"".join(parts))


def _copy_rest(old: int, new: int, start: int, stop: int) -> int:
    """What was appended meanwhile, as it is; the size of the new file."""
    while part := os.pread(old, min(CHUNK, max(stop - start, 0)), start):
        _write(new, part)
        start += len(part)
    return os.fstat(new).st_size


def _write(descriptor: int, data: bytes) -> None:
    """All of it: a short write is followed by the reason why the rest does not fit."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
