"""A disk that fails: the run says so, names the path, and the old tree stands."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.runtime.errors import TreeError
from scripts.runtime.manifest import verify
from tests.conftest import MakeProject
from tests.faults.attempt import (
    BROKEN,
    DENIED,
    FULL,
    Fault,
    NthWrite,
    compile_once,
    leftovers,
    snapshot,
    without_exchange,
)
from tests.project import COMMAND, Project

STEP = 6


@pytest.fixture
def compiled(project: MakeProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Project:
    """A compiled project whose sources have changed since."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    made = project({f"agents/a{number}.md": f"first {number}\n" for number in range(4)})
    assert compile_once(made) == 0
    for number in range(1, 4):
        (made.src / f"agents/a{number}.md").write_text(f"second {number}\n")
    (made.src / "agents/a0.md").unlink()
    return made


@pytest.mark.parametrize("fault", [FULL, BROKEN, DENIED])
def test_the_nth_write_fails_and_the_old_tree_stands(compiled: Project, fault: Fault) -> None:
    before = snapshot(compiled.out)
    code, number, failures = 1, 0, 0
    while code != 0 or number < 20:
        number += STEP
        code = compile_once(compiled, NthWrite(compiled.root, number, fault).install)
        if snapshot(compiled.out) != before:
            break
        assert code in (1, 2)
        failures += 1
    verify(compiled.out)
    assert failures > 2
    assert compile_once(compiled) == 0
    assert leftovers(compiled) == []
    assert "agents/a0.py" not in snapshot(compiled.out)


def test_a_failing_fallback_is_refused_or_old_and_mended_later(compiled: Project) -> None:
    seen = {snapshot(compiled.out)["manifest.sha256"]}
    # Staging takes a write a file; what lies between the first file and the manifest is short.
    code, number, refused = 1, len(snapshot(compiled.out)), 0
    while code != 0:

        def prepare(number: int = number) -> None:
            without_exchange()
            NthWrite(compiled.root, number, FULL).install()

        code = compile_once(compiled, prepare)
        number += 1
        if _is_refused(compiled):
            refused += 1
        else:
            seen.add(snapshot(compiled.out)["manifest.sha256"])
    assert refused
    assert len(seen) == 2  # the old one and the new one
    verify(compiled.out)
    assert compile_once(compiled, without_exchange) == 0
    assert leftovers(compiled) == []


def _is_refused(project: Project) -> bool:
    try:
        verify(project.out)
    except TreeError:
        return True
    return False


def _no_room() -> None:
    """No file of this process grows over 30 kB, as on a disk that is full."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))


def test_a_full_disk_leaves_the_old_tree_and_is_named(compiled: Project) -> None:
    before = snapshot(compiled.out)
    (compiled.src / "agents/a1.md").write_text("large\n" * 20_000)
    ended = subprocess.run(
        [sys.executable, str(COMMAND)],
        cwd=compiled.root,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=_no_room,
    )
    assert ended.returncode == 1, ended.stderr
    assert "BMAD503 cannot be written: File too large" in ended.stdout
    assert "a1.py" in ended.stdout
    assert snapshot(compiled.out) == before
    assert leftovers(compiled) == []
