"""aimock: a server that speaks the providers' wire formats, and that we did not write.

`make aimock` installs it. Fixtures are its own format: the first whose `match` fits
answers, the empty match fits everything and so stands last.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2

from tests.process import Process, clean_environment, free_port

ROOT = Path(__file__).parent.parent
FIXTURES = Path(__file__).parent / "aimock" / "fixtures"
CLIENT_SECONDS = 10.0


def executable() -> str | None:
    """The server's path: of `make aimock`, else the one on PATH, else None."""
    local = ROOT / ".aimock" / "node_modules" / ".bin" / "llmock"
    return str(local) if local.exists() else shutil.which("llmock")


class StandIn(Process):
    """The server with the fixtures of tests/aimock/fixtures until a test loads its own."""

    def __init__(self, program: str, *, log: Path, options: Sequence[str] = ()) -> None:
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        address = ["-p", str(self.port), "-h", "127.0.0.1"]
        strict = ["--strict", "--validate-on-load", "-c", "8"]
        super().__init__(
            [program, *address, "-f", str(FIXTURES), *strict, *options],
            cwd=ROOT,
            environment=clean_environment(),
            log=log,
        )
        self._client = httpx2.Client(
            base_url=self.base_url, timeout=CLIENT_SECONDS, trust_env=False
        )

    @property
    def environment(self) -> dict[str, str]:
        """What a service needs to ask this server as if it were OpenAI."""
        return {"OPENAI_API_KEY": "sk-made-up", "OPENAI_BASE_URL": f"{self.base_url}/v1"}

    def wait_until_live(self) -> StandIn:
        self.wait_until(self._is_live)
        return self

    def load(self, fixtures: Sequence[Mapping[str, Any]] | Path) -> None:
        """Answer from these alone, a list or a file, and forget what was asked before."""
        chosen = _read(fixtures) if isinstance(fixtures, Path) else list(fixtures)
        self._control("POST", "reset")
        added = self._control("POST", "fixtures", {"fixtures": chosen})["added"]
        assert added == len(chosen), f"{added} of {len(chosen)} fixtures were taken"

    def load_default(self) -> None:
        """Any message gets a short answer whose last line is `Action: approve`."""
        self.load(FIXTURES / "answer.json")

    def journal(self) -> list[dict[str, Any]]:
        """What was asked since the last load, oldest first: method, path, headers, body …"""
        entries: list[dict[str, Any]] = self._control("GET", "journal")
        return entries

    def stop(self) -> int:
        self._client.close()
        return super().stop()

    def _control(self, method: str, what: str, body: object = None) -> Any:
        answer = self._client.request(method, f"/__aimock/{what}", json=body)
        assert answer.is_success, f"{method} {what}: {answer.status_code} {answer.text}"
        return answer.json()

    def _is_live(self) -> bool:
        try:
            return self._client.get("/__aimock/health").is_success
        except httpx2.TransportError:
            return False


def _read(file: Path) -> list[Mapping[str, Any]]:
    fixtures: list[Mapping[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["fixtures"]
    return fixtures
