"""A small project in a folder of its own, compiled by the real command."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

from tests.process import clean_environment

ROOT = Path(__file__).parent.parent
COMMAND = ROOT / "scripts" / "bmad2pf.py"
COMPILE_SECONDS = 120
# Two agents with a person between them, and what the person says.
WITH_GATE = {
    "agents/first.md": "---\nmemory_scope: shared:notes\n---\nWrite a note.\n",
    "agents/second.md": "---\nmemory_scope: shared:notes\n---\nRead the note.\n",
    "workflow.yaml": """
        flows:
          default:
            sequence:
              - first
              - human: sign_off
                question: Go on?
                actions: [approve]
              - second
        """,
}
GO_ON = {"gate": "sign_off", "action": "approve"}


class Project:
    """`root/bmad` and what is compiled from it into `root/generated`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.src = root / "bmad"
        self.out = root / "generated"

    def write(self, files: Mapping[str, str | bytes], under: str = "bmad") -> Project:
        """Files by their path below `bmad/`, or below `root / under`.

        Text loses a first line break and its common indentation; bytes stay as they are.
        """
        for name, content in files.items():
            path = self.root / under / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else _text(content))
        return self

    def compile(
        self, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `bmad2pf.py` in `root`, whatever it says; `.returncode`, `.stdout`, `.stderr`."""
        return subprocess.run(
            [sys.executable, str(COMMAND), *arguments],
            cwd=self.root,
            env=clean_environment(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=COMPILE_SECONDS,
            check=False,
        )

    def generate(self, *arguments: str) -> Path:
        """Compile what must compile. The generated folder."""
        done = self.compile(*arguments)
        assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
        return self.out


def _text(content: str) -> bytes:
    return textwrap.dedent(content.removeprefix("\n")).encode()
