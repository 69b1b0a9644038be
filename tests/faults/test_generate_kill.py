"""kill -9 at any moment: a reader sees the old tree or the new one, never a mixture."""

from __future__ import annotations

import hashlib
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
from tests.faults.rounds import ROUNDS
from tests.project import Project

KILLS, KILLS_WITHOUT_EXCHANGE = 100 * ROUNDS, 50 * ROUNDS
STEP = 4  # of the writes of a run, every fourth is tried
AGENTS = 5
ATTEMPTS = 5 * KILLS  # more than enough, and an end
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


def _turn_away(project: Project) -> None:
    """To the generation that the tree is not, so that there is everything to write."""
    is_first = (project.out / "agents/only_first.py").exists()
    _turn(project, "second" if is_first else "first")


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


class Killer:
    """Kills a compiler at random moments, most of them before its end, some just after."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.longest = 0.2  # seconds; follows what runs really take on this machine

    def try_once(self, project: Project, prepare: Fault = lambda: None) -> bool:
        """Whether the compiler was still at work when it was killed."""
        child = start(project, prepare)
        # The moment of the fault, not a wait for anything.
        time.sleep(self.random.uniform(0, self.longest))
        os.kill(child, signal.SIGKILL)
        killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        self.longest *= 1.05 if killed else 0.8
        return killed


@pytest.mark.parametrize("sealed", [False, True])
def test_a_tree_of_both_is_found_out(two: Project, sealed: bool) -> None:
    """The planted fault: an old file in the new tree, even with a manifest that fits."""
    trees = _generations(two)
    name = next(name for name in trees[0] if trees[0][name] != trees[1].get(name, b""))
    (two.out / name).write_bytes(trees[0][name])
    if sealed:
        manifest = two.out / "manifest.sha256"
        old, new = (hashlib.sha256(tree.get(name, b"")).hexdigest() for tree in trees)
        manifest.write_text(manifest.read_text().replace(new, old))
    with pytest.raises((TreeError, AssertionError)):
        _assert_whole(two, trees)


def test_random_kills_leave_one_whole_tree(two: Project) -> None:
    trees = _generations(two)
    killer = Killer(seed=1)
    killed = while_writing = 0
    for _ in range(ATTEMPTS):
        if killed >= KILLS and while_writing:
            break
        _turn_away(two)
        if killer.try_once(two):
            killed += 1
            while_writing += bool(leftovers(two))
        _assert_whole(two, trees)
    assert (killed >= KILLS, bool(while_writing)) == (True, True)
    _mend(two, "second")
    assert snapshot(two.out) == trees[1]


def test_random_kills_without_exchange_leave_a_whole_tree_or_one_that_is_refused(
    two: Project,
) -> None:
    trees = _generations(two)
    killer = Killer(seed=2)
    killed = refused = 0
    for _ in range(ATTEMPTS):
        if killed >= KILLS_WITHOUT_EXCHANGE and refused:
            break
        _turn_away(two)
        killed += killer.try_once(two, without_exchange)
        if _is_refused(two):
            refused += 1
        else:
            manifest = snapshot(two.out)["manifest.sha256"]
            assert manifest in [tree["manifest.sha256"] for tree in trees]
    assert (killed >= KILLS_WITHOUT_EXCHANGE, bool(refused)) == (True, True)
    _mend(two, "second")
    assert snapshot(two.out) == trees[1]


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
    refused = 0
    for number, word in enumerate(("first", "third", "fourth", "second", "first") * 2, start=6):
        _turn(two, word)

        def prepare(number: int = number) -> None:
            without_exchange()
            NthWrite(two.out, number, killing).install()

        assert compile_once(two, prepare) == -signal.SIGKILL
        refused += _is_refused(two)
    assert refused > 5
    _turn(two, "second")
    assert compile_once(two, without_exchange) == 0
    assert snapshot(two.out) == trees[1]


def test_the_first_tree_appears_whole_or_not_at_all(two: Project) -> None:
    _turn(two, "first")
    code, number = -signal.SIGKILL, 0
    while code == -signal.SIGKILL:
        number += 12
        code = compile_once(two, NthWrite(two.root, number, killing).install)
        if two.out.exists():
            verify(two.out)
    verify(two.out)
    assert leftovers(two) == []
