"""Writes what the compiler says now: `python -m tests.cases.refresh [case …]`, then read the diff.

A case without errors gets `expected/`, one with findings `diagnostics.txt`; one that has
`kept.txt` is compiled with `--keep-going`, and gets that instead of `expected/`.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.cases import walk


def refresh(name: str) -> None:
    """Record one case anew."""
    top = walk.FOLDER / name
    shutil.rmtree(top / "expected", ignore_errors=True)
    (top / "diagnostics.txt").unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "generated"
        done = walk.run(name, out, *(["--keep-going"] if walk.is_kept(name) else []))
        if done.returncode > 1:
            raise SystemExit(f"{name}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        found = walk.findings(done)
        if found:
            (top / "diagnostics.txt").write_text(found, encoding="utf-8")
        if walk.is_kept(name):
            (top / walk.KEPT).write_text(walk.kept(out), encoding="utf-8")
        elif out.exists():
            for path, data in walk.generated(out).items():
                file = top / "expected" / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)


def main() -> None:
    """Refresh the cases that are named, else all of them."""
    for name in sys.argv[1:] or walk.names():
        refresh(name)
        sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    main()
