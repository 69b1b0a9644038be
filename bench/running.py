"""A service that stays: started once, asked in every round, its whole process tree measured."""

from __future__ import annotations

import http.client
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .served import free_port

_PATIENCE = 60.0  # seconds for a first answer, on a machine that does much else
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Running:
    """A started service. CPU counts from the start of its processes."""

    port: int
    pid: int

    def cpu(self) -> float:
        """Seconds of CPU time that its processes have used, to the nanosecond of the kernel."""
        return sum(_thread_seconds(task) for task in self._tasks())

    def resident(self) -> float:
        """MiB of physical memory, shared pages included."""
        return sum(_resident(pid) for pid in _tree(self.pid))

    def _tasks(self) -> Iterator[Path]:
        for pid in _tree(self.pid):
            yield from (_PROC / str(pid) / "task").iterdir()


@contextmanager
def serve(
    command: Sequence[str], folder: Path, env: Mapping[str, str], health: str = "/health"
) -> Iterator[Running]:
    """Run a command until the block ends; `{port}` in it is where it has to listen.

    Raises RuntimeError, with what it said, when it does not answer.
    """
    port = free_port()
    words = [word.replace("{port}", str(port)) for word in command]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            words,
            cwd=folder,
            env={**env, "PORT": str(port)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            if not _answers(port, process, health):
                output.seek(0)
                said = output.read().decode("utf-8", "replace")[-3000:]
                raise RuntimeError(f"{words!r} did not answer:\n{said}")
            yield Running(port, process.pid)
        finally:
            process.kill()
            process.wait()


def _answers(port: int, process: subprocess.Popen[bytes], path: str) -> bool:
    deadline = time.perf_counter() + _PATIENCE
    while time.perf_counter() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.client.OK
        except ConnectionRefusedError:
            time.sleep(0.01)
        finally:
            connection.close()
    return False


def _tree(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for task in (_PROC / str(pid) / "task").iterdir():
        for child in (task / "children").read_text(encoding="ascii").split():
            found += _tree(int(child))
    return found


def _thread_seconds(task: Path) -> float:
    try:
        return int((task / "schedstat").read_text(encoding="ascii").split()[0]) / 1e9
    except FileNotFoundError:
        return 0.0  # it has ended meanwhile


def _resident(pid: int) -> float:
    for line in (_PROC / str(pid) / "status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def uvicorn(python: str, app: str) -> list[str]:
    """The command that serves an application as anyone would, without an access log."""
    options = ("--port", "{port}", "--no-access-log", "--log-level", "warning")
    return [python, "-m", "uvicorn", app, *options]


def path_of(folder: Path) -> dict[str, str]:
    """Where modules are found from another folder."""
    return {"PYTHONPATH": os.fspath(folder)}
