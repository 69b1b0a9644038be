"""Disks without room: a small one of its own, or a limit on how large files may be."""

from __future__ import annotations

import errno
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

import pytest

SIZE = 4 * 2**20  # bytes of a small disk
BALLAST = "ballast"


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file of this process grows beyond `size`: a full disk, but for its number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)


class Disk(Protocol):
    """Where a process keeps its data, and what fills it and makes room again."""

    folder: Path

    def fill(self, pid: int) -> None: ...

    def clear(self, pid: int) -> None: ...


class SmallDisk:
    """A tmpfs. Skips the test where none may be mounted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        options = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
        mount = shutil.which("mount")
        if mount is None or subprocess.run(options, capture_output=True, check=False).returncode:
            pytest.skip("no file system may be mounted here")

    def fill(self, _: int) -> None:
        """Until not a byte is left."""
        with (self.folder / BALLAST).open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"x" * 4096)

    def clear(self, _: int) -> None:
        (self.folder / BALLAST).unlink()

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


class Limit:
    """The process may not make any file larger."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def fill(self, pid: int) -> None:
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))

    def clear(self, pid: int) -> None:
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))

    def close(self) -> None:
        return


REASONS = {SmallDisk: errno.ENOSPC, Limit: errno.EFBIG}
