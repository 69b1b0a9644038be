"""Whether folders can hold data: found out at the start, and looked after from then on."""

from __future__ import annotations

import asyncio
import errno
import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from ..errors import StoreError

LOOK_SECONDS: Final = 1.0
WAIT_SECONDS: Final = 1.0
PROBE: Final = ".probe"
_INNER: Final = {"memory": ("runs",), "documents": (".store/revisions", ".store/new")}
_PAGE: Final = b"x" * 4096  # less may find room where nothing else does
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def must_be_there(root: Path) -> None:
    """Raises StoreError without the data folder: a wrong path is not a place without data."""
    if not os.path.isdir(root):  # noqa: PTH112 - Path.is_dir may raise
        raise StoreError(gone(root), store="data")


def gone(root: Path) -> str:
    """The words for a data folder that is absent."""
    return f"the data folder {root} is not there"


def try_folder(path: Path, *, store: str, inner: Sequence[str] = ()) -> None:
    """Make `path` if need be, write a file and remove it. Raises StoreError, naming the folder."""
    try:
        path.mkdir(mode=0o700 if store == "memory" else 0o777, parents=True, exist_ok=True)
        fault = folder_fault(path, store=store, inner=inner)
    except OSError as error:
        fault = f"the folder {path} cannot hold {store}: {error.strerror or error}"
    if fault is not None:
        raise StoreError(fault, store=store)


def folder_fault(folder: Path, *, store: str, inner: Sequence[str] = ()) -> str | None:
    """Why `folder`, or the first above it that is there, can hold nothing; None when it can.

    What the store has inside it, and those of `inner`, are looked at where they are there.
    """
    present = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    fault = _closed(present, store)
    if fault is not None or present != folder:
        return fault
    try:
        _write_probe(folder)
    except OSError as error:
        return f"the folder {folder} cannot hold {store}: {error.strerror}"
    inside = (folder / name for name in (*_INNER[store], *inner))
    faults = (_closed(path, store) for path in inside if os.path.lexists(path))
    return next(filter(None, faults), None)


def _closed(path: Path, store: str) -> str | None:
    if not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir may raise
        return f"{path} is in the way of {store}: it is no folder"
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return f"the folder {path} cannot hold {store}: it cannot be written"
    return None


def _write_probe(folder: Path) -> None:
    """Write a file and remove it: a full disk answers every other question as well as ever.

    It has one name, so that those who are killed meanwhile leave one file and not many.
    """
    probe = folder / PROBE
    descriptor = os.open(probe, _FLAGS, 0o600)
    try:
        if os.write(descriptor, _PAGE) < len(_PAGE):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(descriptor)
        probe.unlink(missing_ok=True)


class Reach:
    """Whether the folders can be used now: looked at beside the event loop, not at each call.

    A folder that is absent is no fault, the next write makes it; a root that is absent is:
    what was there has gone, and what would be written now would not be found again.
    """

    def __init__(
        self, root: Path, folders: Mapping[str, Path], *, every: float = LOOK_SECONDS
    ) -> None:
        """`folders` are named by their stores; `every` is in seconds."""
        self._root = root
        self._folders = dict(folders)
        self._every = every
        self._looking: asyncio.Task[str | None] | None = None
        self._looked = -math.inf

    async def fault(self) -> str | None:
        """What keeps a store from its folder, None when nothing does."""
        if self._looking is None or (
            self._looking.done() and time.monotonic() - self._looked > self._every
        ):
            self._looked = time.monotonic()
            self._looking = asyncio.create_task(asyncio.to_thread(self._look))
        # One look at a time: of a disk that hangs, no more than one thread waits.
        done, _ = await asyncio.wait((self._looking,), timeout=WAIT_SECONDS)
        return self._looking.result() if done else "the data folder does not answer"

    def _look(self) -> str | None:
        if not os.path.isdir(self._root):  # noqa: PTH112 - Path.is_dir may raise
            return gone(self._root)
        faults = (folder_fault(folder, store=store) for store, folder in self._folders.items())
        return next(filter(None, faults), None)
