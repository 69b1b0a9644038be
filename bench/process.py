"""One command, run to its end, and what it and its children cost."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Everything else of the caller's environment stays out. PYTHONDONTWRITEBYTECODE
# above all: with it a start costs three times as much and nothing is comparable.
_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")


class CommandFailed(RuntimeError):
    """A measured command ended with another exit code than it should."""


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU and wall in milliseconds, peak resident memory in MiB, of a whole process tree."""

    cpu: float
    wall: float
    rss: float = 0.0


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a measured process sees; `home` keeps its caches out of the caller's."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "HOME": str(home), **(extra or {})}


def measure(command: Sequence[str], folder: Path, env: Mapping[str, str], expect: int = 0) -> Cost:
    """Run `command` in `folder`; raises CommandFailed when it does not end with `expect`."""
    with tempfile.TemporaryFile() as output:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        # wait4 counts, to the microsecond, the process and all children it waited for.
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != expect:
            output.seek(0)
            said = output.read().decode("utf-8", "replace")[-2000:]
            raise CommandFailed(f"{' '.join(command)[:200]} ended {process.returncode}:\n{said}")
    return Cost(1000 * (used.ru_utime + used.ru_stime), 1000 * wall, used.ru_maxrss / 1024)
