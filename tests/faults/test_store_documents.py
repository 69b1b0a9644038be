"""Documents under fire: several writers, SIGKILL, a full disk."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from scripts.runtime.errors import StoreError
from scripts.runtime.stores.documents import FileDocuments
from scripts.runtime.stores.protocol import Document
from tests.faults.test_store_memory import file_size_limit
from tests.faults.writer import value
from tests.faults.writers import writers


def present(folder: Path) -> Document | None:
    return asyncio.run(FileDocuments(folder).get("prd"))


@pytest.mark.parametrize("size", [200, 200_000])
def test_killed_writers_leave_a_whole_document(tmp_path: Path, size: int) -> None:
    chance = random.Random(size)
    for _ in range(5):
        with writers(tmp_path, "documents", number=2, size=size) as running:
            running[0].wait_for(chance.randint(1, 20))
            for writer in running:
                writer.kill()
        found = present(tmp_path)
        assert found is not None
        name, number, _ = found.text.split(":")
        assert found.text == value(name, int(number), size)
        asyncio.run(FileDocuments(tmp_path).put("prd", "not locked by the dead"))


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


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "docs").write_text("a file")

    async def run() -> None:
        store = FileDocuments(tmp_path / "docs")
        for call in (store.put("prd", "x"), store.get("prd"), store.exists("prd"), store.list()):
            with pytest.raises(StoreError):
                await call

    asyncio.run(run())
