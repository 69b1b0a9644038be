"""Several compilers on one output: each ends well or says that it was busy; one tree remains."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scripts.compiler.lock import Busy, locked
from scripts.runtime.manifest import verify
from tests.conftest import MakeProject
from tests.faults.attempt import compile_once, leftovers, snapshot, start
from tests.faults.rounds import ROUNDS

COMPILERS, TURNS = 8, 5 * ROUNDS


def test_eight_compilers_leave_one_complete_generation(project: MakeProject) -> None:
    made = project({f"agents/a{number}.md": "0\n" for number in range(3)})
    for turn in range(TURNS):
        for number in range(3):
            (made.src / f"agents/a{number}.md").write_text(f"{turn}\n")
        children = [start(made) for _ in range(COMPILERS)]
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        assert set(codes) == {0}
        verify(made.out)
        assert all(f"{turn}\n".encode() in snapshot(made.out)[f"agents/a{n}.py"] for n in range(3))
    assert leftovers(made) == []


def test_a_folder_that_stays_locked_is_said_to_be_busy(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(Busy), locked(tmp_path, wait=0):
        pass


def test_readers_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with locked(tmp_path, shared=True) as first, locked(tmp_path, shared=True, wait=0) as second:
        assert first
        assert second
    assert list(tmp_path.iterdir()) == []


def test_a_long_wait_is_a_finding(project: MakeProject, monkeypatch: pytest.MonkeyPatch) -> None:
    made = project({"agents/a.md": "A.\n"})
    monkeypatch.setattr("scripts.compiler.lock.WAIT", 0.0)
    with locked(made.root):
        assert compile_once(made) == 1
    assert not made.out.exists()
