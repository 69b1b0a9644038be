"""Writing processes under test: started together, killed, and what each had acknowledged."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNENDING = 10**9
PAGE = 4096
PAUSE = 0.002  # else there is more to read each time than was written while reading


class Writer:
    """A child that waits for `go` and prints the number of each acknowledged write.

    It gets ahead of its reader by 64 writes at most.
    """

    def __init__(self, folder: Path, kind: str, name: str, count: int, size: int) -> None:
        command = [sys.executable, "-m", "tests.faults.writer"]
        command += [str(folder), kind, name, str(count), str(size)]
        self.name = name
        self.last = -1
        self.child = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ)
        )
        assert self.child.stdout is not None
        fcntl.fcntl(self.child.stdout, fcntl.F_SETPIPE_SZ, PAGE)
        assert self._line().rstrip() == b"ready"

    def _line(self) -> bytes:
        assert self.child.stdout is not None
        return self.child.stdout.readline()

    def go(self) -> None:
        assert self.child.stdin is not None
        self.child.stdin.write(b"\n")
        self.child.stdin.flush()

    def wait_for(self, acknowledged: int) -> None:
        """Until so many writes were acknowledged."""
        for _ in range(acknowledged):
            self.last = int(self._line())

    def kill(self) -> int:
        """SIGKILL; the number of the last acknowledged write."""
        self.child.kill()
        return self.finish()

    def finish(self) -> int:
        """The number of the last acknowledged write, -1 when there was none."""
        assert self.child.stdout is not None
        for line in self.child.stdout:  # not communicate: it passes over what readline has read
            if line.endswith(b"\n"):
                self.last = int(line)
        self.child.wait()
        return self.last


@contextmanager
def writers(
    folder: Path, kind: str, *, number: int, count: int = UNENDING, size: int
) -> Iterator[list[Writer]]:
    """So many of them, at the same moment; none outlives the test."""
    with ExitStack() as stack:
        found = []
        for index in range(number):
            writer = Writer(folder, kind, f"w{index}", count, size)
            stack.callback(writer.child.communicate)
            stack.callback(writer.child.kill)
            found.append(writer)
        for writer in found:
            writer.go()
        yield found


@contextmanager
def listened_to(running: Sequence[Writer]) -> Iterator[None]:
    """Meanwhile `last` of each is kept up, and they go on, at the pace of PAUSE."""
    over = threading.Event()

    def listen() -> None:
        while not over.wait(PAUSE):
            for writer in running:
                writer.wait_for(1)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
