"""Runs in files: `runs/{identity}.jsonl`, one line a finished step, locked while the run goes on.

Lines end with a checksum, as memory's do, and a line that does not fit hides no other. A step
is written before the next one starts, but for those that finish before the run has ever waited:
they are written when it first does. So a run that never waits leaves no trace, and costs none.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import stat
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Final, Literal

from ..errors import BMADError, Conflict, StoreError
from .files import store_fault, sync_folder
from .finished import FinishedRuns
from .record import BadLine, seal, unseal
from .runs import MAX_UNFINISHED, Done, Kept, Line, OnFault

MAX_LINE: Final = 8_000_000  # bytes of one finished step
_SPARE: Final = MAX_UNFINISHED // 10  # how many are forgotten at once

_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_ENCODER: Final = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_log = logging.getLogger(__name__)


class FileRuns:
    """The records in `folder`; any number of processes of one host may share it.

    At most `limit` records are left in it: the oldest go first, some at a time.
    """

    def __init__(
        self,
        folder: Path,
        durability: Literal["commit", "always"] = "commit",
        *,
        limit: int = MAX_UNFINISHED,
    ) -> None:
        self.folder = folder
        self._start = f"{folder}/"
        self.durable = durability == "always"
        self.done = FinishedRuns(folder / "done", durable=self.durable, limit=limit)
        self._limit = limit
        self._count = 0

    def claim(self, identity: str) -> RunFile:
        """The record, for us alone.

        Raises Conflict while the run is going on in another process, and StoreError.
        """
        file = RunFile(self, identity, f"{self._start}{identity}.jsonl")
        file.open()
        return file

    def finished(self, identity: str) -> Kept | None:
        """What the last run of this identity came to that succeeded, if that is known."""
        return self.done.find(identity)

    def close(self) -> None:
        """Let go of the files."""
        self.done.close()

    def grown(self) -> None:
        """A record stays behind that was not there before."""
        self._count += 1
        if self._count > self._limit:
            self.sweep()

    def shrunk(self) -> None:
        """A record that was there has gone."""
        self._count -= 1

    def sweep(self) -> None:
        """Count the records; where there are too many, remove the oldest that nobody holds."""
        try:
            with os.scandir(self.folder) as entries:
                files = [(each.stat().st_mtime_ns, each.path) for each in entries if _is_ours(each)]
        except FileNotFoundError:
            files = []
        except OSError as error:
            _log.warning("old runs cannot be counted: %s", error.strerror)
            return
        self._count = len(files)
        if len(files) > self._limit:
            surplus = len(files) - self._limit + min(_SPARE, self._limit // 10)
            for _, path in sorted(files)[:surplus]:
                self._count -= _removed(path)


def _is_ours(entry: os.DirEntry[str]) -> bool:
    return entry.name.endswith(".jsonl") and entry.is_file(follow_symlinks=False)


def _removed(path: str) -> bool:
    descriptor = -1
    try:
        descriptor = os.open(path, _FLAGS)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        Path(path).unlink()
    except OSError:
        return False  # it is going on, or gone
    finally:
        if descriptor >= 0:
            os.close(descriptor)
    return True


class RunFile:
    """The file of one run. It is made with the first line that has to be kept."""

    def __init__(self, store: FileRuns, identity: str, path: str) -> None:
        self.kept: Kept | None = None
        self._store = store
        self._identity = identity
        self._path = path
        self._fd = -1
        self._lines: list[Line] = []
        self._first_turn: asyncio.Handle | None = None
        self._afresh = False
        self._torn = False
        self._new = False
        self._fault: BMADError | None = None
        self._on_fault: OnFault = lambda error: None

    def open(self) -> None:
        """Lock the file and read it, if there is one."""
        # Asked first, since most runs are new, and an error costs more than an answer.
        if os.access(self._path, os.F_OK) and self._lock(create=False):
            self._read()

    def begin(self, lines: Sequence[Line], on_fault: OnFault, *, afresh: bool) -> None:
        """An attempt begins; what there was is forgotten only when the first line is written."""
        self._on_fault = on_fault
        self._afresh = afresh
        self._lines += lines
        self._first_turn = asyncio.get_running_loop().call_soon(self._flush)

    def add(self, line: Line) -> Awaitable[None] | None:
        """Keep a finished step. Raises StoreError or Conflict."""
        if self._fault is not None:
            raise self._fault
        self._lines.append(line)
        if self._store.durable:
            self._write()
            return self._sync()
        if self._first_turn is None:
            self._write()
        return None

    def end(self, line: Line) -> None:
        """Keep how it ended, and let go of the file. Raises StoreError or Conflict."""
        try:
            if self._fault is None:
                self._lines.append(line)
                self._write()
        finally:
            if self._new:
                self._store.grown()
            self.release()

    def succeed(self, done: Done | None) -> None:
        """Remove the file, if it was ever made; `done` goes to where finished runs are."""
        if done is not None:
            self._store.done.write(self._identity, done)
        if self._fd >= 0:
            try:
                Path(self._path).unlink()
            except OSError as error:
                # All its steps are kept: the same request gets the same answer, and tries again.
                _log.warning("a finished run is not removed: %s", error.strerror)
            else:
                if not self._new:
                    self._store.shrunk()
        self.release()

    def release(self) -> None:
        """Close the file, which lets go of its lock."""
        self._lines.clear()
        if self._first_turn is not None:
            self._first_turn.cancel()
            self._first_turn = None
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                fcntl.flock(self._fd, fcntl.LOCK_UN)  # an fsync may hold a duplicate
            os.close(self._fd)
            self._fd = -1

    def _flush(self) -> None:
        self._first_turn = None
        try:
            self._write()
        except BMADError as error:
            self._fault = error
            self._on_fault(error)

    def _write(self) -> None:
        """Append what waits in one piece. Raises StoreError or Conflict."""
        lines, self._lines = self._lines, []
        if not lines:
            return
        data = b"".join(map(_sealed, lines))
        if self._fd < 0:
            self._make()
        try:
            if self._afresh and not self._new:  # ext4 makes a file dear that was cut to nothing
                os.ftruncate(self._fd, 0)
                self._torn = False
            self._afresh = False
            self._append(b"\n" + data if self._torn else data)
        except OSError as error:
            raise store_fault(error, store="runs", done="written") from error
        self._torn = False

    def _append(self, data: bytes) -> None:
        size = os.fstat(self._fd).st_size
        try:
            written = os.write(self._fd, data)
        except OSError:
            self._take_back(size)
            raise
        if written < len(data):
            self._take_back(size)
            raise StoreError("no room is left to keep the run", store="runs", status=507)

    def _take_back(self, size: int) -> None:
        try:
            os.ftruncate(self._fd, size)
        except OSError:
            self._torn = True

    def _make(self) -> None:
        self._lock(create=True)
        if os.fstat(self._fd).st_size:
            self.release()
            raise _going_on("another process has begun it at the same moment")
        self._new = True

    def _lock(self, *, create: bool) -> bool:
        """Open the file and take its lock; False when there is none."""
        flags = _FLAGS | os.O_CREAT if create else _FLAGS
        for _ in range(10):
            try:
                self._fd = os.open(self._path, flags, 0o600)
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except FileNotFoundError:
                if not create:
                    return False
                self._make_folder()
                continue
            except BlockingIOError:
                run_id = self._named()
                self.release()
                raise _going_on(run_id) from None
            except OSError as error:
                self.release()
                raise store_fault(error, store="runs", done="opened") from error
            status = os.fstat(self._fd)
            if not stat.S_ISREG(status.st_mode):
                self.release()
                raise StoreError(f"{self._name} is not a regular file", store="runs")
            if status.st_nlink:
                return True
            os.close(self._fd)  # it was removed while we waited for nothing
            self._fd = -1
        raise StoreError("the run's file is being replaced all the time", store="runs")

    def _make_folder(self) -> None:
        try:
            self._store.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise store_fault(error, store="runs", done="created") from error

    @property
    def _name(self) -> str:
        return self._path.rpartition("/")[2]

    def _named(self) -> str:
        first = os.pread(self._fd, 4096, 0).partition(b"\n")[0]
        try:
            return str(json.loads(first.partition(b',"flow"')[0] + b"}")["run_id"])
        except (ValueError, KeyError, TypeError):
            return "another process's run"

    def _read(self) -> None:
        try:
            data = _whole(self._fd)
        except OSError as error:
            self.release()
            raise store_fault(error, store="runs", done="read") from error
        kept = Kept()
        *lines, tail = data.split(b"\n")
        self._torn = bool(tail)  # we hold the lock: whoever wrote it is dead
        for number, line in enumerate(lines, 1):
            self._take(kept, line, number)
        if tail:
            self._take(kept, tail, len(lines) + 1)
        if kept.run_id:
            self.kept = kept
        elif data:
            _log.warning("%s: its first line is lost, so the run starts afresh", self._name)

    def _take(self, kept: Kept, line: bytes, number: int) -> None:
        if not line:
            return
        try:
            kept.apply(unseal(line))
        except BadLine as reason:
            _log.warning("%s: line %d is skipped: %s", self._name, number, reason)
        except (KeyError, TypeError, ValueError):
            _log.warning("%s: line %d is skipped: it is none of ours", self._name, number)

    async def _sync(self) -> None:
        descriptor = os.dup(self._fd)
        folder = self._store.folder
        folders = (folder, folder.parent, folder.parent.parent) if self._new else ()
        try:
            await asyncio.to_thread(_sync_file, descriptor, folders)
        except OSError as error:
            raise store_fault(error, store="runs", done="written to the disk") from error


def _sealed(line: Line) -> bytes:
    try:
        data = seal(_ENCODER.encode(line))
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError("a step's output is no JSON", store="runs") from error
    if len(data) > MAX_LINE:
        raise StoreError("a step's output is larger than 8 MB", store="runs", status=413)
    return data


def _whole(descriptor: int) -> bytes:
    parts, offset = [], 0
    while part := os.pread(descriptor, 1 << 20, offset):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def _sync_file(descriptor: int, folders: tuple[Path, ...]) -> None:
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    for folder in folders:
        sync_folder(folder)


def _going_on(run_id: str) -> Conflict:
    message = f"this run is already going on: {run_id}"
    return Conflict(message, what=run_id, code="run_in_progress")
