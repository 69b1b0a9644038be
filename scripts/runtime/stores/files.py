"""Whole files: read without following links, replaced in one step."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import aiofiles

from ..errors import StoreError
from .filesyncs import FileSyncs

T = TypeVar("T")

NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
MAX_INLINE: Final = 64 * 1024  # bytes that are moved at once, without the cost of a thread

# O_NONBLOCK: opening a pipe that someone put there must not wait for its other end.
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def regular(path: Path | str) -> os.stat_result | None:
    """The status of a regular file; None for anything else, links included."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def is_there(path: Path) -> bool:
    """Whether anything has this name, be it a dangling link."""
    return os.path.lexists(path)


def open_regular(path: Path | str) -> int | None:
    """A descriptor to read a regular file; None when there is none. Raises OSError."""
    found = open_known(path)
    return None if found is None else found[0]


def open_known(path: Path | str) -> tuple[int, os.stat_result] | None:
    """The same, with the file's status."""
    try:
        descriptor = os.open(path, _READ)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a link, a socket
            return None
        raise
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return None
    return descriptor, status


def read_now(descriptor: int, size: int | None = None) -> bytes:
    """What the file holds, of which the size may be known; the descriptor is closed.

    Raises OSError.
    """
    try:
        size = os.fstat(descriptor).st_size if size is None else size
        data = os.read(descriptor, size + 1)
        if len(data) == size:  # and no more, though more was asked for
            return data
        pieces = [data]
        while pieces[-1]:
            pieces.append(os.read(descriptor, MAX_INLINE))
        return b"".join(pieces)
    finally:
        os.close(descriptor)


async def read_whole(descriptor: int, size: int) -> bytes:
    """What a file of this size holds; the descriptor is closed. Raises OSError."""
    if size <= MAX_INLINE:
        return read_now(descriptor, size)
    return await _unbroken(_read_beside(descriptor))


async def _read_beside(descriptor: int) -> bytes:
    async with aiofiles.open(descriptor, "rb") as file:
        data: bytes = await file.read()
        return data


async def _write_beside(descriptor: int, data: bytes) -> None:
    async with aiofiles.open(descriptor, "wb") as file:
        await file.write(data)


async def _unbroken(call: Coroutine[Any, Any, T]) -> T:
    """The call's result. One that is cancelled ends first: it would leave its file open."""
    task = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        if not task.cancelled():
            task.exception()  # nobody else will ask
        raise


def _write_now(descriptor: int, data: bytes) -> None:
    with open(descriptor, "wb") as file:
        file.write(data)


def digest(descriptor: int) -> str:
    """The SHA-256 of what the file holds; the descriptor is closed. Raises OSError."""
    with open(descriptor, "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def write_new(folder: Path, data: bytes, name: str, syncs: FileSyncs) -> Path:
    """A new file `{name}~{random}` in `folder`, whose content is on the disk.

    On a fault nothing is left. Raises OSError.
    """
    path = folder / f"{name}~{secrets.token_hex(12)}"
    descriptor = os.open(path, _WRITE, 0o644)
    try:
        if len(data) <= MAX_INLINE:
            _write_now(descriptor, data)
        else:
            await _unbroken(_write_beside(descriptor, data))
        await syncs.wait(path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def inherit(path: Path, before: os.stat_result) -> None:
    """Give a file of ours the mode and owner of the one whose place it is to take. Raises OSError.

    So a document that its author has closed to others, or opened to a group, stays so.
    """
    status = os.lstat(path)
    if _access(status) == _access(before):
        return
    descriptor = os.open(path, _READ)
    try:
        inherit_open(descriptor, before)
    finally:
        os.close(descriptor)


def inherit_open(descriptor: int, before: os.stat_result) -> None:
    """The same for a file that is open. Raises OSError."""
    status = os.fstat(descriptor)
    if (status.st_uid, status.st_gid) != (before.st_uid, before.st_gid):
        with suppress(PermissionError):  # only root may
            os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode) & 0o777)


def _access(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode) & 0o777


async def in_thread(call: Callable[[], T]) -> T:
    """The call's result; it is finished even when nobody waits for it any more.

    For work that must not be left half done, or that holds what only it can give back.
    """
    future = asyncio.get_running_loop().run_in_executor(None, call)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        raise


def sync_folder(folder: Path) -> None:
    """Make the names in a folder as durable as the files. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def store_fault(error: OSError, *, store: str, done: str) -> StoreError:
    """`memory cannot be opened: x.jsonl: …`; 507 without room, which is no file's fault."""
    if error.errno in NO_ROOM:
        message = f"{store} cannot be {done}: {error.strerror}"
        return StoreError(message, store=store, status=507)
    file = f"{Path(os.fsdecode(error.filename)).name}: " if error.filename else ""
    reason = "it is a link" if error.errno == errno.ELOOP else error.strerror
    return StoreError(f"{store} cannot be {done}: {file}{reason}", store=store)
