"""A service under uvicorn: started, asked over a socket, measured, stopped."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .process import Cost

_PATIENCE = 30.0  # seconds for a first answer, on a machine that does much else


@dataclass(frozen=True, slots=True)
class Served:
    """An ASGI application by its import path, in the folder it is imported from."""

    app: str
    folder: Path
    env: Mapping[str, str]

    def cost(self, *bodies: bytes) -> Cost:
        """From the start of the process to its first answer, then a POST /run for each body.

        CPU and wall up to there in ms, resident memory at that moment in MiB.
        """
        with tempfile.TemporaryFile() as output:
            port, begun = free_port(), time.perf_counter()
            process = self._start(port, output)
            try:
                _first_answer(port, process, output)
                for body in bodies:
                    _post(port, body)
                wall, rss = time.perf_counter() - begun, _resident(process.pid)
            finally:
                # Killed, not asked to stop: what stopping costs is another question.
                process.kill()
                _, status, used = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
        return Cost(1000 * (used.ru_utime + used.ru_stime), 1000 * wall, rss)

    def imports(self, *bodies: bytes) -> dict[str, int]:
        """Every module imported by the end of the first answer and runs: µs of its own."""
        with tempfile.TemporaryFile() as output:
            port = free_port()
            process = self._start(port, output, "-X", "importtime")
            try:
                _first_answer(port, process, output)
                for body in bodies:
                    _post(port, body)
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(_PATIENCE)
            output.seek(0)
            return _parsed(output.read().decode("utf-8", "replace"))

    def _start(self, port: int, output: IO[bytes], *flags: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, *flags, "-m", "uvicorn", self.app, "--port", str(port)]
        return _spawn([*command, "--no-access-log"], self.folder, self.env, output)


def _spawn(
    command: Sequence[str], folder: Path, env: Mapping[str, str], output: IO[bytes]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output
    )


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _first_answer(port: int, process: subprocess.Popen[bytes], output: IO[bytes]) -> None:
    """Ask `/health` until it answers 200. Raises RuntimeError when the service does not come."""
    deadline = time.perf_counter() + _PATIENCE
    while time.perf_counter() < deadline and process.poll() is None:
        try:
            _ask(port, "GET", "/health")
        except ConnectionRefusedError:
            time.sleep(0.002)
        else:
            return
    output.seek(0)
    said = output.read().decode("utf-8", "replace")[-2000:]
    raise RuntimeError(f"the service did not answer:\n{said}")


def _post(port: int, body: bytes) -> None:
    _ask(port, "POST", "/run", body)


def _ask(port: int, method: str, path: str, body: bytes | None = None) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        said = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise RuntimeError(f"{method} {path} answered {response.status}: {said[:500]!r}")


def _resident(pid: int) -> float:
    """MiB of physical memory, shared pages included."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/{pid}/status has no VmRSS")


def _parsed(text: str) -> dict[str, int]:
    """Lines of `-X importtime`: `import time: self [us] | cumulative | name`."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        fields = line.removeprefix("import time:").split("|")
        if len(fields) == 3 and fields[0].strip().isdigit():
            found[fields[2].strip()] = int(fields[0])
    return found
