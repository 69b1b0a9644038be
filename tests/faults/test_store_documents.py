"""Documents under fire: several writers, SIGKILL, a full disk."""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from scripts.runtime.errors import StoreError
from scripts.runtime.stores.documents import FileDocuments
from tests.faults.disk import file_size_limit
from tests.faults.document_kills import faults
from tests.faults.rounds import ROUNDS
from tests.faults.writer import value
from tests.faults.writers import ROOT


@pytest.mark.parametrize("size", [200, 100_000])
def test_killed_writers_lose_nothing_and_leave_nothing_half(tmp_path: Path, size: int) -> None:
    found = killed(tmp_path, 50 * ROUNDS, size, "none")
    assert found["faults"] == []
    assert found["revisions"] >= 50, "they have written something"


def test_a_writer_that_writes_in_place_is_found_out(tmp_path: Path) -> None:
    assert killed(tmp_path, 400, 100_000, "in_place")["faults"] != []


def killed(folder: Path, kills: int, size: int, fault: str) -> dict[str, Any]:
    """What is found behind so many kills: in a process of its own, which can fork."""
    command = [sys.executable, "-m", "tests.faults.document_kills"]
    command += [str(folder), str(kills), str(size), fault]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class TestDetectors:
    """What looks at the folder sees each kind of fault, when it is planted."""

    def written(self, folder: Path) -> dict[str, int]:
        async def run() -> None:
            store = FileDocuments(folder)
            for number in range(3):
                text = value("w0", number, 100)
                await store.put("prd", text, author={"kind": "agent", "agent": "w0"})

        asyncio.run(run())
        assert faults(folder, {"w0": 3}, 100) == []
        return {"w0": 3}

    def lines(self, folder: Path) -> list[bytes]:
        return self.log(folder).read_bytes().splitlines(keepends=True)

    def log(self, folder: Path) -> Path:
        return folder / ".store" / "revisions" / "prd.jsonl"

    def test_a_lost_revision(self, tmp_path: Path) -> None:
        told = self.written(tmp_path)
        lines = self.lines(tmp_path)
        self.log(tmp_path).write_bytes(lines[0] + lines[2])
        assert faults(tmp_path, told, 100) != []

    def test_a_write_that_was_acknowledged_and_not_made(self, tmp_path: Path) -> None:
        told = self.written(tmp_path)
        assert faults(tmp_path, {**told, "w0": 4}, 100) != []

    def test_a_phantom(self, tmp_path: Path) -> None:
        told = self.written(tmp_path)
        (tmp_path / "prd.md").write_text(value("w0", 1, 100))
        assert faults(tmp_path, told, 100) != []

    def test_a_revision_there_twice(self, tmp_path: Path) -> None:
        told = self.written(tmp_path)
        self.log(tmp_path).write_bytes(b"".join([*self.lines(tmp_path), self.lines(tmp_path)[-1]]))
        assert faults(tmp_path, told, 100) != []

    def test_half_a_document(self, tmp_path: Path) -> None:
        told = self.written(tmp_path)
        (tmp_path / "prd.md").write_text(value("w0", 2, 100)[:50])
        assert faults(tmp_path, told, 100) != []

    def test_a_document_that_is_gone(self, tmp_path: Path) -> None:
        told = self.written(tmp_path)
        (tmp_path / "prd.md").unlink()
        assert faults(tmp_path, told, 100) != []

    def test_what_is_left_behind(self, tmp_path: Path) -> None:
        told = self.written(tmp_path)
        for name in ("a", "b"):
            (tmp_path / ".store" / "new" / name).write_text("half")
        assert faults(tmp_path, told, 100) != []


async def _answers(*calls: Coroutine[Any, Any, Any]) -> list[Any]:
    return await asyncio.gather(*calls, return_exceptions=True)


@pytest.mark.parametrize("size", [2_000, 200_000])
@pytest.mark.parametrize("durability", ["commit", "always"])
def test_full_disk_leaves_the_old_document(tmp_path: Path, size: int, durability: str) -> None:
    async def run() -> None:
        store = FileDocuments(tmp_path, "always" if durability == "always" else "commit")
        await store.put("prd", "old")
        with file_size_limit(1_000):
            for document_id in ("prd", "new"):
                with pytest.raises(StoreError) as caught:
                    await store.put(document_id, "x" * size)
                assert caught.value.status == 507
            found = await store.get("prd")
            assert found is not None
            assert found.text == "old"
        assert [info.id for info in await store.list()] == ["prd"]
        await store.put("new", "x" * size)

    asyncio.run(run())
    assert list((tmp_path / ".store" / "new").iterdir()) == []
    histories = {path.stem for path in (tmp_path / ".store" / "revisions").iterdir()}
    assert histories == {"prd", "new"}


def test_a_crowd_that_waits_for_the_disk_keeps_no_files_open(tmp_path: Path) -> None:
    store = FileDocuments(tmp_path)
    writes = 200
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (writes, before[1]))
    try:
        answers = asyncio.run(_answers(*(store.put(f"d{n}", f"{n}") for n in range(writes))))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert [is_new for _, is_new in answers] == [True] * writes


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "docs").write_text("a file")

    async def run() -> None:
        store = FileDocuments(tmp_path / "docs")
        for call in (store.put("prd", "x"), store.get("prd"), store.exists("prd"), store.list()):
            with pytest.raises(StoreError):
                await call

    asyncio.run(run())
