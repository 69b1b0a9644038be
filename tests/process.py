"""Real processes under test: an environment of their own, a bounded wait, a certain end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

START_SECONDS = 60.0
STOP_SECONDS = 20.0
_PAUSE_SECONDS = 0.02
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "COVERAGE_PROCESS_CONFIG")


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a process needs to run at all, without the caller's keys and settings, and `extra`."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | {"PYTHONDONTWRITEBYTECODE": "1"} | dict(extra or {})


def free_port() -> int:
    """A port of the loopback interface that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Process:
    """A child whose output goes to `log`; `stop` ends it by SIGTERM and says how it ended."""

    def __init__(
        self, command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], log: Path
    ) -> None:
        self.command = list(command)
        self.log_file = log
        with log.open("wb") as output:
            self._child = subprocess.Popen(
                self.command,
                cwd=cwd,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def log(self) -> str:
        """All that it has printed so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        return self._child.poll()

    def signal(self, number: signal.Signals) -> None:
        self._child.send_signal(number)

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """The return code. Fails when it has not ended by then."""
        try:
            return self._child.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"{self.command} did not end in {seconds} s:\n{self.log}"
            ) from None

    def wait_until(self, ready: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        """Poll `ready`. Fails when the process ends first or the time runs out."""
        deadline = time.monotonic() + seconds
        while not ready():
            assert self.returncode is None, f"ended with {self.returncode}:\n{self.log}"
            assert time.monotonic() < deadline, f"not ready in {seconds} s:\n{self.log}"
            time.sleep(_PAUSE_SECONDS)

    def stop(self) -> int:
        """SIGTERM, then the return code; one that ended before keeps its own."""
        if self.returncode is None:
            self._child.terminate()
        try:
            return self.wait()
        finally:
            self._end_for_certain()

    def kill(self) -> int:
        """SIGKILL, and -9."""
        self._child.kill()
        return self._child.wait()

    def _end_for_certain(self) -> None:
        if self.returncode is None:
            self.kill()
