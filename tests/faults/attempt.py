"""A compiler in a process of its own that a fault meets at a chosen moment."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from scripts.compiler import compile as _imported_before_the_fork  # noqa: F401
from scripts.compiler import output
from scripts.compiler.arguments import Options
from scripts.compiler.fresh import LEFTOVER
from scripts.compiler.main import run
from tests.project import Project

WRITES = ("os.mkdir", "os.link", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree")
Fault = Callable[[], None]


def options(project: Project) -> Options:
    """What `bmad2pf` in the project's folder would be asked, without depending on that folder."""
    chosen = Options()
    chosen.src, chosen.out = str(project.src), str(project.out)
    return chosen


def start(project: Project, prepare: Fault = lambda: None) -> int:
    """Fork a process that compiles after `prepare`; its id. Its exit code is the compiler's.

    What it says goes to `said` beside the project.
    """
    with (project.root.parent / "said").open("w") as said:
        child = os.fork()
        if child:
            return child
        code = 3
        try:
            sys.stdout = sys.stderr = said
            prepare()
            code = run(options(project))
            said.flush()
        finally:
            os._exit(code)


def compile_once(project: Project, prepare: Fault = lambda: None) -> int:
    """Compile in a forked process to its end; the exit code, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(start(project, prepare), 0)[1])


def without_exchange() -> None:
    """Let this process believe that the system cannot exchange folders."""
    output.exchange = lambda one, other: False  # type: ignore[attr-defined]


def across_devices() -> None:
    """Let no folder be exchanged and nothing be renamed out of the staging folder."""
    without_exchange()

    def see(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "os.rename" and f"{LEFTOVER}{os.getpid()}/" in os.fspath(arguments[0]):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    sys.addaudithook(see)


class NthWrite:
    """A hook that lets the n-th change of a file or folder below `top` meet `fault`, from 1."""

    def __init__(self, top: Path, number: int, fault: Fault) -> None:
        self.top = str(top)
        self.left = number
        self.fault = fault

    def install(self) -> None:
        """Hook this process; there is no way back."""
        sys.addaudithook(self._see)
        sync = os.fsync

        def failing_sync(handle: int) -> None:
            self._count()
            sync(handle)

        os.fsync = failing_sync  # type: ignore[assignment]

    def _see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            concerned = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        else:
            place = 1 if event in ("os.link", "os.rename") else 0
            path, concerned = arguments[place] if event in WRITES else "", event in WRITES
        if concerned and isinstance(path, str | Path) and str(path).startswith(self.top):
            self._count()

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.fault()


def failing(number: int) -> Fault:
    """A fault that raises the OSError of that number."""

    def fail() -> None:
        raise OSError(number, os.strerror(number))

    return fail


def killing() -> None:
    """A fault that ends the process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


FULL, BROKEN, DENIED = (failing(each) for each in (errno.ENOSPC, errno.EIO, errno.EACCES))


def snapshot(folder: Path) -> Mapping[str, bytes]:
    """Every file below `folder` by its path; Python's caches are not counted."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def leftovers(project: Project) -> list[str]:
    """What a compiler has left behind in the project's folder or in its output."""
    beside = [path.name for path in project.root.iterdir() if path.name.startswith(".")]
    inside = [path for path in snapshot(project.out) if ".bmad2pf" in path or ".next" in path]
    return beside + inside
