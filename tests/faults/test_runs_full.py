"""No room for runs: one that cannot be kept says so, and goes on when there is room again."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import pytest

from scripts.runtime.errors import Conflict
from scripts.runtime.executor import Executor
from scripts.runtime.flow import AnyFlow, Flow
from scripts.runtime.gate import Gate
from scripts.runtime.runner import Decision
from scripts.runtime.services import Services
from scripts.runtime.stores.record import unseal
from scripts.runtime.stores.runfile import FileRuns, RunFile
from tests.faults.disk import file_size_limit
from tests.runtime.agents import Scripted, agent, chain, request

STEPS = ("one", "two", "three", "four")


def build() -> AnyFlow:
    return chain(*(agent(name)() for name in STEPS))


async def slowly(request: Any) -> str:
    await asyncio.sleep(0)
    return f"{request.step} " * 100


def attempt(
    folder: Path, durability: Literal["commit", "always"], *, streamed: bool
) -> tuple[int, dict[str, Any], list[str]]:
    """Status, answer and what was asked of the model."""

    async def main() -> tuple[int, dict[str, Any], list[str]]:
        model = Scripted(dict.fromkeys(STEPS, slowly))
        runs = FileRuns(folder, durability)
        flows = Executor(Services(model=model), {"default": Flow("default", build)}, (), runs)
        run = flows.start(request())
        if streamed:
            async for _ in run.log.follow(run.since):
                pass
        answer = await run.wait()
        assert flows.active == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return run.http_status, answer, model.steps()

    return asyncio.run(main())


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("durability", ["commit", "always"])
@pytest.mark.parametrize("size", [0, 100, 900, 1700])
def test_a_full_disk_is_said_and_tears_nothing(
    tmp_path: Path, size: int, durability: Literal["commit", "always"], streamed: bool
) -> None:
    folder = tmp_path / "memory" / "runs"
    with file_size_limit(size):
        status, answer, asked = attempt(folder, durability, streamed=streamed)
    assert (status, answer["error"]["code"]) == (507, "store_failed")
    assert asked != list(STEPS), "it stops where it can no longer be kept"
    for path in folder.iterdir():
        lines = path.read_bytes().split(b"\n")
        assert lines.pop() == b""
        kept = [found["step"] for found in map(unseal, lines) if found["op"] == "step"]
        assert kept == asked[: len(kept)]
        status, answer, later = attempt(folder, durability, streamed=streamed)
        assert (status, answer["status"]) == (200, "success")
        assert [*kept, *later] == list(STEPS)
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where a folder should be")
    status, answer, asked = attempt(tmp_path / "runs", "commit", streamed=False)
    assert (status, answer["error"]["code"]) == (500, "store_failed")
    assert len(asked) <= 1


def gated() -> AnyFlow:
    gate = Gate("sign_off", question="Good?", actions=("yes", "no"))
    return chain(agent("one")(), gate, agent("two")())


def ask(folder: Path, decision: Decision | None) -> tuple[int, dict[str, Any]]:
    async def main() -> tuple[int, dict[str, Any]]:
        model = Scripted({"one": "one", "two": "two"})
        runs = FileRuns(folder)
        flows = Executor(Services(model=model), {"default": Flow("default", gated)}, (), runs)
        try:
            run = flows.start(request(decision=decision))
        except Conflict as error:
            return error.status, {}
        answer = await run.wait()
        return run.http_status, answer

    return asyncio.run(main())


def is_good(folder: Path, status: int, answer: dict[str, Any]) -> bool:
    """What was called pending goes on; anything else was said to have no room."""
    if answer["status"] != "pending":
        return (status, answer["error"]["code"]) == (507, "store_failed")
    status, later = ask(folder, Decision("sign_off", "yes"))
    return (status, later.get("status")) == (200, "success")


@pytest.mark.parametrize("size", [0, 100, 500])
def test_a_run_that_nobody_could_go_on_with_is_not_pending(tmp_path: Path, size: int) -> None:
    with file_size_limit(size):
        status, answer = ask(tmp_path / "runs", None)
    assert status == 507
    assert is_good(tmp_path / "runs", status, answer)
    assert is_good(tmp_path / "runs", *ask(tmp_path / "runs", None))


def test_one_that_looks_away_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: what came of a write is not looked at."""

    def careless(record: RunFile, data: bytes) -> None:
        with suppress(OSError):
            os.write(record._fd, data)

    monkeypatch.setattr(RunFile, "_append", careless)
    with file_size_limit(100):
        status, answer = ask(tmp_path / "runs", None)
    assert (status, answer["status"]) == (200, "pending")
    assert not is_good(tmp_path / "runs", status, answer)
