"""kill -9 at any moment: a reader sees the old tree or the new one, never a mixture."""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from scripts.runtime.errors import TreeError
from scripts.runtime.manifest import verify
from tests.conftest import MakeProject
from tests.faults.attempt import (
    Fault,
    NthWrite,
    compile_once,
    killing,
    leftovers,
    snapshot,
    start,
    without_exchange,
)
from tests.project import Project

KILLS = 105
STEP = 3  # of the writes of a run, every third is tried
AGENTS = 5
Trees = list[Mapping[str, bytes]]


@pytest.fixture
def two(project: MakeProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Project:
    """A project whose sources `turn` moves between two generations."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    return project({"agents/a0.md": "first\n"})


def _turn(project: Project, word: str) -> None:
    """Other prompts in every module, one module that only this generation has."""
    for number in range(AGENTS):
        (project.src / f"agents/a{number}.md").write_text(f"{word} {number}\n")
    for old in project.src.glob("agents/only-*.md"):
        old.unlink()
    (project.src / f"agents/only-{word}.md").write_text(f"{word}\n")


def _generations(project: Project) -> Trees:
    trees = []
    for word in ("first", "second"):
        _turn(project, word)
        assert compile_once(project) == 0
        trees.append(snapshot(project.out))
    assert trees[0].keys() != trees[1].keys()
    return trees


def _mend(project: Project, word: str) -> None:
    _turn(project, word)
    assert compile_once(project) == 0
    assert leftovers(project) == []


def _is_refused(project: Project) -> bool:
    try:
        verify(project.out)
    except TreeError:
        return True
    return False


def _assert_whole(project: Project, trees: Trees) -> None:
    verify(project.out)
    assert snapshot(project.out) in trees


def _kill_at_random(
    project: Project, moments: random.Random, longest: float, prepare: Fault
) -> bool:
    child = start(project, prepare)
    time.sleep(moments.uniform(0, longest))  # the moment of the fault, not a wait for anything
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def _longest(project: Project, prepare: Fault = lambda: None) -> float:
    started = time.monotonic()
    assert compile_once(project, prepare) == 0
    return time.monotonic() - started


def test_random_kills_leave_one_whole_tree(two: Project) -> None:
    trees = _generations(two)
    moments = random.Random(1)
    _turn(two, "first")
    longest = _longest(two)
    killed = turned = 0
    seen = snapshot(two.out)
    for word in itertools.cycle(("second", "first")):
        if killed == KILLS:
            break
        _turn(two, word)
        killed += _kill_at_random(two, moments, longest, lambda: None)
        _assert_whole(two, trees)
        turned += snapshot(two.out) != seen
        seen = snapshot(two.out)
    assert turned, "no kill came late enough to matter"
    _turn(two, "second")
    assert compile_once(two) == 0
    assert snapshot(two.out) == trees[1]
    assert leftovers(two) == []


def test_random_kills_without_exchange_leave_a_whole_tree_or_one_that_is_refused(
    two: Project,
) -> None:
    trees = _generations(two)
    moments = random.Random(2)
    _turn(two, "first")
    longest = _longest(two, without_exchange)
    killed = 0
    for word in itertools.cycle(("second", "first")):
        if killed == KILLS:
            break
        _turn(two, word)
        killed += _kill_at_random(two, moments, longest, without_exchange)
        if not _is_refused(two):
            present = snapshot(two.out)
            manifest = present["manifest.sha256"]
            assert manifest in [tree["manifest.sha256"] for tree in trees]
    _turn(two, "second")
    assert compile_once(two, without_exchange) == 0
    assert snapshot(two.out) == trees[1]
    assert leftovers(two) == []


@pytest.mark.parametrize("exchanged", [True, False])
def test_a_kill_at_any_write_is_mended_by_the_next_run(two: Project, exchanged: bool) -> None:
    trees = _generations(two)
    number, refused = random.Random(3).randrange(STEP), 0
    code = -signal.SIGKILL
    while code == -signal.SIGKILL:
        number += STEP
        _mend(two, "first")
        _turn(two, "second")

        def prepare(number: int = number) -> None:
            if not exchanged:
                without_exchange()
            NthWrite(two.root, number, killing).install()

        code = compile_once(two, prepare)
        if exchanged:
            _assert_whole(two, trees)
        elif _is_refused(two):
            refused += 1
        else:
            assert snapshot(two.out)["manifest.sha256"] in [t["manifest.sha256"] for t in trees]
    assert code == 0
    assert number > 2 * AGENTS
    assert exchanged or refused > 2
    assert snapshot(two.out) == trees[1]


def test_a_fallback_is_known_as_ours_however_often_it_is_interrupted(two: Project) -> None:
    trees = _generations(two)
    for number, word in enumerate(("first", "third", "fourth", "second", "first") * 3, start=1):
        _turn(two, word)

        def prepare(number: int = number) -> None:
            without_exchange()
            NthWrite(two.root, 30 + 2 * number, killing).install()

        compile_once(two, prepare)
    _turn(two, "second")
    assert compile_once(two, without_exchange) == 0
    assert snapshot(two.out) == trees[1]


def test_the_first_tree_appears_whole_or_not_at_all(two: Project) -> None:
    _turn(two, "first")
    code, number = -signal.SIGKILL, 0
    while code == -signal.SIGKILL:
        number += 5
        code = compile_once(two, NthWrite(two.root, number, killing).install)
        if two.out.exists():
            verify(two.out)
    verify(two.out)
    assert leftovers(two) == []
