"""What a power cut would leave of documents: names lead only to what is on the disk.

A disk that loses what was not synced is not at hand; so it is watched what is synced, and when.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Literal

import pytest

from scripts.runtime.stores.documents import FileDocuments

Durability = Literal["commit", "always"]
Use = Callable[[FileDocuments], Coroutine[Any, Any, Any]]


class Disk:
    """Watches all that this process syncs and renames."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.torn: list[str] = []  # names that were given to files of which something was missing
        self.unsure: set[str] = set()  # folders whose names may be the old ones
        self.folders: set[str] = set()  # those that have been synced
        self.renamed = 0
        self.threads: list[int] = []  # those that waited for the disk
        self._kept: dict[int, bytes] = {}
        for name in ("fsync", "fdatasync"):
            patch.setattr(os, name, self._watched(getattr(os, name)))
        self._replace = os.replace
        patch.setattr(os, "replace", self._replaced)

    def _watched(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def sync(descriptor: int) -> None:
            self.threads.append(threading.get_ident())
            real(descriptor)
            path = Path(f"/proc/self/fd/{descriptor}").resolve()
            if path.is_dir():
                self.unsure.discard(str(path))
                self.folders.add(str(path))
            else:
                self._kept[os.fstat(descriptor).st_ino] = path.read_bytes()

        return sync

    def _replaced(self, source: Path, target: Path) -> None:
        self.renamed += 1
        if self._kept.get(Path(source).stat().st_ino) != Path(source).read_bytes():
            self.torn.append(Path(target).name)
        self.unsure.add(str(Path(target).parent))
        self._replace(source, target)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def watched(disk: Disk, folder: Path, use: Use, **options: Any) -> set[int]:
    """The threads that waited for the disk; the loop's own was none of them."""
    asyncio.run(use(FileDocuments(folder, **options)))
    assert disk.renamed > 0
    assert disk.torn == []
    assert threading.get_ident() not in disk.threads
    return set(disk.threads)


@pytest.mark.parametrize("durability", ["commit", "always"])
@pytest.mark.parametrize("size", [0, 2_000, 200_000])
def test_a_document_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, disk: Disk, durability: Durability, size: int
) -> None:
    async def use(store: FileDocuments) -> None:
        for state in ("", "again"):
            await store.put("prd", "x" * size + state)
            if durability == "always":
                assert disk.unsure == set(), "nor is it acknowledged before its name is there"

    docs = tmp_path / "docs"
    watched(disk, docs, use, durability=durability)
    made = (tmp_path, docs, docs / ".store", docs / ".store" / "revisions")
    assert disk.folders == (set(map(str, made)) if durability == "always" else set())


@pytest.mark.parametrize("durability", ["commit", "always"])
def test_what_is_left_of_old_revisions_is_on_the_disk_first(
    tmp_path: Path, disk: Disk, durability: Durability
) -> None:
    async def use(store: FileDocuments) -> None:
        for number in range(20):
            await store.put("prd", f"text {number}")
        assert len(await store.revisions("prd")) == 2

    watched(disk, tmp_path / "docs", use, durability=durability, revisions=2)
    assert disk.renamed > 20, "the revisions were written anew as well"


@pytest.mark.parametrize("durability", ["commit", "always"])
def test_what_is_restored(tmp_path: Path, disk: Disk, durability: Durability) -> None:
    async def use(store: FileDocuments) -> None:
        await store.put("prd", "one")
        await store.load("prd", await store.dump("prd"))
        assert durability == "commit" or disk.unsure == set()

    watched(disk, tmp_path / "docs", use, durability=durability)


def test_documents_of_one_moment_share_a_thread(tmp_path: Path, disk: Disk) -> None:
    async def use(store: FileDocuments) -> None:
        await asyncio.gather(*(store.put(f"S-1__{number}", "text") for number in range(8)))

    assert len(watched(disk, tmp_path / "docs", use)) == 1
    assert len(disk.threads) == 8


def test_a_disk_that_fails_one_of_them(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are written; that one is not, and what stood there before still does."""
    real = os.fdatasync

    def fdatasync(descriptor: int) -> None:
        if os.fstat(descriptor).st_size == len("broken"):
            raise OSError(5, "Input/output error")
        real(descriptor)

    async def use(store: FileDocuments) -> None:
        await store.put("b", "old")
        texts = ("whole", "broken", "entire.")
        answers = await asyncio.gather(
            *(store.put(name, text) for name, text in zip("abc", texts, strict=True)),
            return_exceptions=True,
        )
        assert [isinstance(answer, Exception) for answer in answers] == [False, True, False]
        found = await store.get("b")
        assert found is not None
        assert found.text == "old"

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    watched(disk, tmp_path / "docs", use)
    assert list((tmp_path / "docs" / ".store" / "new").iterdir()) == []


class TestDetector:
    def test_a_name_for_what_was_never_synced(self, tmp_path: Path, disk: Disk) -> None:
        path = tmp_path / "new"
        path.write_text("text")
        path.replace(tmp_path / "prd.md")
        assert disk.torn == ["prd.md"]
        assert disk.unsure == {str(tmp_path)}

    def test_a_sync_that_came_too_early(self, tmp_path: Path, disk: Disk) -> None:
        with (tmp_path / "new").open("w") as file:
            file.write("te")
            file.flush()
            os.fsync(file.fileno())
            file.write("xt")
        (tmp_path / "new").replace(tmp_path / "prd.md")
        assert disk.torn == ["prd.md"]
