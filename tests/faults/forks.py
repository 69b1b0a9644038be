"""Children of a program with one thread: started in a moment, as nothing is imported again."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import traceback
from collections.abc import Callable

from tests.faults.rounds import ROUNDS

PAGE = 4096
SECONDS = 60 * ROUNDS  # none of them outlives its parent by more


class Child:
    """Runs `work(say)`; what it says is read here, also when it is killed in the next moment.

    It gets ahead of its reader by 64 things at most.
    """

    def __init__(self, work: Callable[[Callable[[object], None]], None]) -> None:
        reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PAGE)
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                signal.alarm(SECONDS)
                os.close(reading)
                work(lambda what: void(os.write(writing, f"{what!s:<63}\n".encode())))
                code = 0
            except BaseException:  # noqa: BLE001 - of a fork nothing else is told
                traceback.print_exc(file=sys.stderr)
                sys.stderr.flush()
            finally:
                os._exit(code)
        os.close(writing)
        self._said = os.fdopen(reading, "rb")

    def line(self) -> str:
        """The next thing it says; empty when it has ended."""
        return self._said.readline().decode().strip()

    def rest(self) -> list[str]:
        """Everything else, when it has ended; a last line that was cut is none."""
        lines = self._said.read().split(b"\n")
        self._said.close()
        return [line.decode().strip() for line in lines[:-1]]

    def kill(self) -> list[str]:
        """SIGKILL, then everything that it had said."""
        os.kill(self.pid, signal.SIGKILL)
        return self.end()[1]

    def end(self) -> tuple[int, list[str]]:
        """Wait for it: the exit code, negative for a signal, and what was not read yet."""
        said = self.rest()
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status), said


def void(_: object) -> None:
    """For its effect only."""
