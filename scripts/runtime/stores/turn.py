"""Whose turn it is to lock a memory file or a document: those who have waited for long come first.

`flock` is not fair. A process that writes without a pause, or is put aside by the kernel while it
has the lock, keeps those out for seconds who look for it now and then. Whoever has waited for
PATIENCE says so by a lock on the folder; whoever did not wait looks for that at most once
in LOOK_SECONDS, and waits then as well.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from os import stat
from time import monotonic
from typing import Final

PATIENCE: Final = 0.05  # seconds
LOOK_SECONDS: Final = 0.001
PAUSE: Final = 0.0002  # between two tries

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Turn:
    """One who waits for the lock of a file in `folder`; to be closed when that is over."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._from = monotonic() + PATIENCE
        self._fd = -1

    def insist(self) -> bool:
        """Whether we have waited for long; then others are told. Does not wait."""
        if monotonic() < self._from:
            return False
        with suppress(OSError):  # busy: someone looks in this moment, or insists as well
            if self._fd < 0:
                self._fd = os.open(self._folder, _FOLDER)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True

    def close(self) -> None:
        """Others may go on."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Folder:
    """The folder of files that are locked, as their writers in this process share what they see.

    So a process that writes to many files asks no more often than one that writes to one.
    """

    __slots__ = ("_changed", "_free_until", "_seen_until", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._free_until = 0.0
        self._seen_until = 0.0
        self._changed = 0

    def is_free(self) -> bool:
        """Whether nobody had waited for long when we looked, LOOK_SECONDS ago at most."""
        moment = monotonic()
        if moment < self._free_until:
            return True
        if is_anothers(self.name):
            return False
        self._free_until = moment + LOOK_SECONDS
        return True

    def changed(self, *, now: bool) -> int:
        """When it was changed, in ns; unless `now`, what that was LOOK_SECONDS ago at most."""
        moment = monotonic()
        if now or moment >= self._seen_until:
            self._changed = stat(self.name).st_mtime_ns  # noqa: PTH116 - a Path costs more
            self._seen_until = moment + LOOK_SECONDS
        return self._changed


def is_anothers(folder: str) -> bool:
    """Whether someone has waited for long. A fault is a no: this is no more than courtesy."""
    try:
        descriptor = os.open(folder, _FOLDER)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return isinstance(error, BlockingIOError)
    finally:
        os.close(descriptor)
    return False
