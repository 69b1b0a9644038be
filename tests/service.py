"""A generated service as a real process, and a client that speaks to it."""

from __future__ import annotations

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
