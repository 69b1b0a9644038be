"""Damaged lines of memory files, kept as they were found: `<file>.quarantine`.

A compaction leaves such lines out, so they are copied here as soon as they are seen. The file
stays until an operator removes it, and the service says that it is there.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

SUFFIX: Final = ".quarantine"
_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK: Final = 2**20


def of(path: Path) -> Path:
    """Where the damaged lines of a memory file are kept."""
    return path.with_name(path.name + SUFFIX)


def keep(path: Path, descriptor: int, offset: int, length: int) -> None:
    """Copy a line of the file behind `descriptor`, once. Raises OSError."""
    wanted = hashlib.sha256(b"".join(_parts(descriptor, offset, length))).digest()
    target = os.open(of(path), _FLAGS, 0o600)
    try:
        fcntl.flock(target, fcntl.LOCK_EX)
        if wanted not in _digests(target):
            _append(target, [*_parts(descriptor, offset, length), b"\n"])
    except OSError:
        if not os.fstat(target).st_size:
            of(path).unlink(missing_ok=True)
        raise
    finally:
        os.close(target)


def forget(path: Path, lines: Iterable[bytes]) -> None:
    """Take out lines that have been repaired; without any, the file goes. Raises OSError."""
    gone = {hashlib.sha256(line).digest() for line in lines}
    try:
        target = os.open(of(path), _FLAGS & ~os.O_CREAT)
    except FileNotFoundError:
        return
    with os.fdopen(target, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        left = [
            line for line in file if hashlib.sha256(line.removesuffix(b"\n")).digest() not in gone
        ]
        if left:
            file.truncate(0)
            file.writelines(left)
        else:
            of(path).unlink(missing_ok=True)


def count(path: Path) -> int:
    """How many lines of a memory file are kept."""
    try:
        with of(path).open("rb") as file:
            return sum(1 for _ in file)
    except FileNotFoundError:
        return 0


def _parts(descriptor: int, offset: int, length: int) -> Iterable[bytes]:
    stop = offset + length
    while offset < stop and (part := os.pread(descriptor, min(_CHUNK, stop - offset), offset)):
        yield part
        offset += len(part)


def _digests(descriptor: int) -> set[bytes]:
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        return {hashlib.sha256(line.removesuffix(b"\n")).digest() for line in file}


def _append(descriptor: int, parts: Iterable[bytes]) -> None:
    size = os.fstat(descriptor).st_size
    try:
        for part in parts:
            if os.write(descriptor, part) < len(part):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        os.ftruncate(descriptor, size)
        raise
