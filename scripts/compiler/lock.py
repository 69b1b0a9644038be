"""One compiler at a time: a lock on the folder that holds the output. No file is left behind."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

if sys.platform != "win32":
    import fcntl

WAIT = 30.0  # seconds
_POLL: Final = 0.02


class Busy(Exception):
    """Another compiler held the lock for longer than WAIT."""


@contextmanager
def locked(folder: Path, *, shared: bool = False, wait: float | None = None) -> Iterator[bool]:
    """Hold the lock of `folder`; yields whether this system has such locks. Raises Busy."""
    if sys.platform == "win32":
        yield False  # the staged folder still keeps the tree whole
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield _acquire(handle, shared=shared, wait=WAIT if wait is None else wait)
    finally:
        os.close(handle)  # and the lock with it


def _acquire(handle: int, *, shared: bool, wait: float) -> bool:
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise Busy from None
            time.sleep(_POLL)
        except OSError:
            return False  # some network mounts have no locks
        else:
            return True
