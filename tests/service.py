"""A generated service as a real process, and a client that speaks to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx2

from tests.process import Process, clean_environment, free_port

CLIENT_SECONDS = 60.0


class Service(Process):
    """Serves `root/generated` on a free loopback port; `client` knows its address."""

    def __init__(
        self,
        root: Path,
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] = ("-m", "generated"),
    ) -> None:
        """`command` are Python's arguments; `{port}` in one of them becomes the port."""
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        super().__init__(
            [sys.executable, *(part.format(port=self.port) for part in command)],
            cwd=root,
            environment=clean_environment({"PORT": str(self.port)} | dict(environment or {})),
            log=log,
        )
        self.client = httpx2.Client(base_url=self.base_url, timeout=CLIENT_SECONDS, trust_env=False)

    def wait_until_live(self) -> Service:
        """Return when `/health/live` answers 200. Fails with the log otherwise."""
        self.wait_until(self._is_live)
        return self

    def run(self, text: str, story_id: str = "S-1", **fields: object) -> httpx2.Response:
        """`POST /run`; the answer as it came."""
        return self.client.post("/run", json={"input": text, "story_id": story_id, **fields})

    def stop(self) -> int:
        self.client.close()
        return super().stop()

    def _is_live(self) -> bool:
        try:
            return self.client.get("/health/live").status_code == httpx2.codes.OK
        except httpx2.TransportError:
            return False


def refused_start(root: Path, *, without: str | None = None, **variables: str) -> str:
    """What a start that fails says in its one line; as if the module `without` were not there."""
    code = "import runpy, sys\n"
    if without is not None:
        code += f"sys.modules[{without!r}] = None\n"
    code += "sys.argv = ['generated']\nrunpy.run_module('generated', run_name='__main__')\n"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env=clean_environment({"PORT": str(free_port()), **variables}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr
