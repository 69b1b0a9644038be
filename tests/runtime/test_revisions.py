"""Revisions of documents: each state is kept once, with who wrote it; edits by hand as well."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.runtime.errors import StoreError
from scripts.runtime.stores import revisions as revisions_module
from scripts.runtime.stores.documents import FileDocuments
from scripts.runtime.stores.protocol import Revision
from scripts.runtime.stores.record import seal
from scripts.runtime.stores.revisions import digest

from .agents import heard

AGENT = {"kind": "agent", "agent": "writer", "step": "writer", "run_id": "r", "prompt": "0" * 64}
Stores = Callable[..., FileDocuments]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "docs"


@pytest.fixture
def store(folder: Path) -> FileDocuments:
    return FileDocuments(folder)


def do(call: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(call)


def texts(store: FileDocuments, document_id: str = "prd") -> list[str]:
    """Oldest first, as dump and as get give them, which must agree."""
    found = do(store.dump(document_id))
    for revision, text in found:
        document = do(store.get(document_id, revision.rev))
        assert (document.text, document.info.etag) == (text, revision.etag)
        assert document.info.updated_at == revision.time
        assert document.info.size == revision.size == len(text.encode())
    return [text for _, text in found]


def authors(store: FileDocuments) -> list[str]:
    return [revision.author["kind"] for revision, _ in do(store.dump("prd"))]


def log_of(folder: Path) -> Path:
    return folder / ".store" / "revisions" / "prd.jsonl"


@pytest.mark.parametrize("durability", ["commit", "always"])
@pytest.mark.parametrize("size", [10, 100_000])
def test_each_state_is_kept_with_its_author(folder: Path, durability: Any, size: int) -> None:
    store = FileDocuments(folder, durability)
    do(store.put("prd", "a" * size, author=AGENT))
    do(store.put("prd", "ß\r\n🎈\0" * size, author={"kind": "client", "client": "alice"}))
    do(store.put("prd", ""))
    assert texts(store) == ["a" * size, "ß\r\n🎈\0" * size, ""]
    newest, middle, oldest = do(store.revisions("prd"))
    assert [newest.rev, middle.rev, oldest.rev] == [3, 2, 1]
    assert oldest.author == AGENT
    assert middle.author == {"kind": "client", "client": "alice"}
    assert newest.author == {"kind": "unknown"}
    assert newest.etag == do(store.get("prd")).info.etag
    assert oldest.time <= middle.time <= newest.time
    assert do(store.get("prd", 4)) is None
    assert texts(FileDocuments(folder)) == texts(store), "also after a restart"


def test_what_is_not_there_has_no_revisions(folder: Path, store: FileDocuments) -> None:
    assert do(store.revisions("prd")) == []
    assert do(store.get("prd", 1)) is None
    assert not folder.exists()
    do(store.put("other", "x"))
    do(store.put("prd", "x"))
    do(store.delete("prd"))
    assert do(store.revisions("prd")) == []
    assert not log_of(folder).exists()


def test_the_same_text_again_changes_nothing(folder: Path, store: FileDocuments) -> None:
    first, _ = do(store.put("prd", "one", author=AGENT))
    path = folder / "prd.md"
    before = path.stat()
    for other in (store, FileDocuments(folder)):
        assert do(other.put("prd", "one")) == (first, False)
        assert do(other.put("prd", "one", if_match=first.etag)) == (first, False)
    assert path.stat().st_ino == before.st_ino
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert authors(store) == ["agent"]
    assert list((folder / ".store" / "new").iterdir()) == []
    do(store.put("prd", "two"))
    do(store.put("prd", "one"))
    assert texts(store) == ["one", "two", "one"], "but to come back to a state is a new one"


class TestEdits:
    """The file was changed by an editor, by git, by anything that is not the store."""

    @pytest.mark.parametrize("cold", [False, True])
    @pytest.mark.parametrize("way", ["in place", "replaced"])
    def test_are_revisions_of_their_own(
        self, folder: Path, store: FileDocuments, cold: bool, way: str
    ) -> None:
        do(store.put("prd", "ours", author=AGENT))
        if way == "in place":
            (folder / "prd.md").write_text("by hand")
        else:
            (folder / "prd.md~").write_text("by hand")
            (folder / "prd.md~").replace(folder / "prd.md")
        later = FileDocuments(folder) if cold else store
        do(later.put("prd", "ours again"))
        assert texts(later) == ["ours", "by hand", "ours again"]
        assert authors(later) == ["agent", "disk", "unknown"]

    def test_are_seen_when_someone_looks(self, folder: Path, store: FileDocuments) -> None:
        do(store.put("prd", "ours"))
        for _ in range(2):
            (folder / "prd.md").write_text("by hand")
            assert texts(store) == ["ours", "by hand"]
        (folder / "prd.md").write_text("ours")
        assert texts(store) == ["ours", "by hand", "ours"]

    def test_a_file_that_was_there_before_is_the_first(
        self, folder: Path, store: FileDocuments
    ) -> None:
        folder.mkdir()
        (folder / "README.md").write_text("# Not written by any store\n")
        do(store.put("README", "by a client"))
        assert texts(store, "README") == ["# Not written by any store\n", "by a client"]

    def test_that_only_touch_the_file_are_none(self, folder: Path, store: FileDocuments) -> None:
        do(store.put("prd", "ours"))
        os.utime(folder / "prd.md", (1000, 1000))
        assert texts(store) == ["ours"]
        assert do(store.put("prd", "ours"))[1] is False
        assert texts(store) == ["ours"]

    def test_a_removed_file_takes_its_history_along(
        self, folder: Path, store: FileDocuments
    ) -> None:
        do(store.put("prd", "one"))
        (folder / "prd.md").unlink()
        assert do(store.revisions("prd")) == []
        assert do(store.put("prd", "two"))[1] is True
        assert texts(store) == ["two"]

    def test_that_are_no_text_are_passed_over(self, folder: Path, store: FileDocuments) -> None:
        do(store.put("prd", "one"))
        (folder / "prd.md").write_bytes(b"\xff")
        for _ in range(2):
            for reader in (store, FileDocuments(folder)):
                with pytest.raises(StoreError, match="not UTF-8"):
                    do(reader.dump("prd"))
        with pytest.raises(StoreError, match="not UTF-8"):
            do(store.put("prd", "two"))
        assert (folder / "prd.md").read_bytes() == b"\xff"
        do(store.put("prd", "two", if_match="*"))
        assert texts(store) == ["one", "two"]


class TestBounds:
    @pytest.mark.parametrize("keep", [1, 3, 40])
    def test_only_so_many_are_kept(self, folder: Path, keep: int) -> None:
        store = FileDocuments(folder, revisions=keep)
        for number in range(100):
            do(store.put("prd", f"{number}"))
            others = FileDocuments(folder, revisions=keep)
            assert len(do(others.revisions("prd"))) == min(keep, number + 1)
        assert texts(store) == [f"{number}" for number in range(100 - keep, 100)]
        assert do(store.revisions("prd"))[0].rev == 100
        assert log_of(folder).read_bytes().count(b"\n") <= 2 * keep + 8
        assert list((folder / ".store" / "new").iterdir()) == []

    def test_none(self, folder: Path) -> None:
        store = FileDocuments(folder, revisions=0)
        etag = do(store.put("prd", "one", author=AGENT))[0].etag
        do(store.put("prd", "two", if_match=etag))
        assert texts(store) == ["two"]
        assert log_of(folder).stat().st_size == 0
        assert b"one" not in b"".join(p.read_bytes() for p in folder.rglob("*") if p.is_file())

    def test_none_any_more(self, folder: Path, store: FileDocuments) -> None:
        created = do(store.put("prd", "one"))[0].created_at
        info, is_new = do(FileDocuments(folder, revisions=0).put("prd", "two"))
        assert (info.created_at, is_new) == (created, False)
        assert log_of(folder).stat().st_size == 0

    def test_large_ones_go_sooner(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(revisions_module, "MAX_BYTES", 10_000)
        store = FileDocuments(folder)
        for number in range(10):
            do(store.put("prd", f"{number}" * 4_000))
        assert texts(store) == ["8" * 4_000, "9" * 4_000] or len(texts(store)) <= 3
        do(store.put("prd", "x" * 20_000))
        assert texts(store)[-1] == "x" * 20_000
        assert log_of(folder).stat().st_size < 21_000

    def test_the_time_of_making_survives(self, folder: Path) -> None:
        store = FileDocuments(folder, revisions=2)
        created = do(store.put("prd", "0"))[0].created_at
        for number in range(1, 30):
            assert do(store.put("prd", f"{number}"))[0].created_at == created
        assert do(FileDocuments(folder).get("prd")).info.created_at == created


class TestDamage:
    """What is torn or changed in the file costs its own revision only, and is told."""

    @pytest.fixture(autouse=True)
    def _heard(self) -> Iterator[None]:
        with heard():
            yield

    def three(self, folder: Path) -> Path:
        store = FileDocuments(folder)
        for text in ("one", "two", "three"):
            do(store.put("prd", text))
        return log_of(folder)

    def test_a_torn_line(self, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        log = self.three(folder)
        with log.open("ab") as file:
            file.write(b'{"rev":4,"time":1')
        store = FileDocuments(folder)
        do(store.put("prd", "four"))
        assert texts(store) == ["one", "two", "three", "four"]
        assert "torn" in caplog.text

    @pytest.mark.parametrize("place", [0, 1])
    def test_a_damaged_line(
        self, folder: Path, place: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        log = self.three(folder)
        lines = log.read_bytes().splitlines(keepends=True)
        lines[place] = lines[place].replace(b'"size":3', b'"size":7')
        log.write_bytes(b"".join(lines))
        store = FileDocuments(folder)
        do(store.put("prd", "four"))
        found = {revision.rev: text for revision, text in do(store.dump("prd"))}
        assert found == {
            r: t for r, t in [(1, "one"), (2, "two"), (3, "three"), (4, "four")] if r != place + 1
        }
        assert "lost" in caplog.text

    def test_the_newest_line_damaged(self, folder: Path) -> None:
        log = self.three(folder)
        log.write_bytes(log.read_bytes().replace(b'"text":"three"', b'"text":"thrae"'))
        store = FileDocuments(folder)
        found = do(store.dump("prd"))
        assert [(r.rev, text, r.author["kind"]) for r, text in found] == [
            (1, "one", "unknown"), (2, "two", "unknown"), (4, "three", "disk")
        ]  # fmt: skip

    @pytest.mark.parametrize("junk", [b"", b"\n\n", b"\xff\xfe\n", b"[]\n", b"{}\n" * 3])
    def test_a_file_of_junk(self, folder: Path, junk: bytes) -> None:
        log = self.three(folder)
        log.write_bytes(junk)
        store = FileDocuments(folder)
        do(store.put("prd", "four"))
        assert texts(store) == ["three", "four"]

    def test_a_write_that_was_never_done_is_cut_off(self, folder: Path) -> None:
        log = self.three(folder)
        before = log.read_bytes()
        document = folder / "prd.md"
        do(FileDocuments(folder).put("prd", "never"))
        # As a writer leaves it that is killed between the line and the renaming.
        name = json.loads(log.read_bytes().splitlines()[-1])["new"]
        document.replace(folder / ".store" / "new" / name)
        document.write_text("three")
        assert texts(FileDocuments(folder)) == ["one", "two", "three"]
        assert log.read_bytes() == before
        assert list((folder / ".store" / "new").iterdir()) == []

    def test_an_unfinished_write_that_is_swept_leaves_no_revision(self, folder: Path) -> None:
        log = self.three(folder)
        do(FileDocuments(folder).put("prd", "never"))
        name = json.loads(log.read_bytes().splitlines()[-1])["new"]
        (folder / "prd.md").replace(folder / ".store" / "new" / name)
        (folder / "prd.md").write_text("three")
        os.utime(folder / ".store" / "new" / name, (1000, 1000))
        do(FileDocuments(folder).put("other", "sweeps"))
        assert list((folder / ".store" / "new").iterdir()) == []
        assert texts(FileDocuments(folder)) == ["one", "two", "three"]


class TestDumpAndLoad:
    def test_carry_everything(self, folder: Path, tmp_path: Path) -> None:
        store = FileDocuments(folder)
        do(store.put("prd", "one", author=AGENT))
        do(store.put("prd", "ßwei" * 30_000))
        (folder / "prd.md").write_text("by hand")
        kept = do(store.dump("prd"))
        other = FileDocuments(tmp_path / "other")
        do(other.put("prd", "is replaced"))
        do(other.load("prd", kept))
        assert do(other.dump("prd")) == kept
        assert do(other.get("prd")).text == "by hand"
        info, before = do(other.get("prd")).info, do(store.get("prd")).info
        assert (info.etag, info.size) == (before.etag, before.size)
        assert info.created_at == kept[0][0].time
        assert info.updated_at == kept[-1][0].time
        do(other.put("prd", "next"))
        assert do(other.revisions("prd"))[0].rev == 4

    def test_without_revisions(self, folder: Path) -> None:
        store = FileDocuments(folder, revisions=0)
        one = Revision(1, '"x"', "2026-01-02T03:04:05.678Z", 3, {"kind": "unknown"})
        do(store.load("prd", [(one, "one"), (one, "two")]))
        assert texts(store) == ["two"]
        assert do(store.get("prd")).info.updated_at == "2026-01-02T03:04:05.678Z"
        with pytest.raises(ValueError, match="at least one"):
            do(store.load("prd", []))


def test_lists_by_prefix_and_page(folder: Path, store: FileDocuments) -> None:
    for name in ("S-1__a", "S-1__b", "S-1__c", "S-2__a", "prd"):
        do(store.put(name, "x"))

    def ids(*arguments: Any, **options: Any) -> list[str]:
        return [info.id for info in do(store.list(*arguments, **options))]

    assert ids() == ["S-1__a", "S-1__b", "S-1__c", "S-2__a", "prd"]
    assert ids("S-1__") == ["S-1__a", "S-1__b", "S-1__c"]
    assert ids("S-1__", limit=2) == ["S-1__a", "S-1__b"]
    assert ids("S-1__", after="S-1__b", limit=2) == ["S-1__c"]
    assert ids(limit=0) == ids("x") == ids("prd.m") == []


def test_a_history_that_is_no_file_is_refused(folder: Path, store: FileDocuments) -> None:
    do(store.put("other", "x"))
    os.mkfifo(log_of(folder))
    with pytest.raises(StoreError):
        do(store.put("prd", "x"))
    assert do(store.get("prd")) is None


def test_a_cancelled_write_is_done_and_unlocked(folder: Path, store: FileDocuments) -> None:
    async def main() -> None:
        await store.put("prd", "x" * 100_000)
        task = asyncio.create_task(store.put("prd", "y" * 1_000_000))
        for _ in range(50):
            if task.done():
                break
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.put("prd", "z")
        assert (await store.dump("prd"))[-1][1] == "z"

    do(main())
    assert list((folder / ".store" / "new").iterdir()) == []


def test_another_document_of_the_same_name_is_not_taken_for_the_old_one(folder: Path) -> None:
    """Its file may well get the inode of the one that was deleted, and have its size."""
    here, there = FileDocuments(folder), FileDocuments(folder)
    do(here.put("prd", "a", author=AGENT))
    os.utime(folder / "prd.md", (1000, 1000))
    os.utime(log_of(folder), (1000, 1000))
    assert do(here.put("prd", "b", author=AGENT))[0].created_at.startswith("1970")
    do(there.delete("prd"))
    for text in ("a", "b"):
        created = do(there.put("prd", text, author=AGENT))[0].created_at
    assert do(here.put("prd", "c"))[0].created_at == created
    assert texts(here) == ["a", "b", "c"]


def test_a_file_that_others_have_put_in_place_is_read_anew(
    folder: Path, store: FileDocuments
) -> None:
    """Even one with the inode, the size and the time of the one before."""
    for text in ("one", "two"):
        do(store.put("prd", text, author=AGENT))
    log = log_of(folder)
    before = log.stat()
    first, second = log.read_bytes().splitlines()
    line = second[: second.rindex(b',"crc"')].decode() + "}"
    line = line.replace(digest(b"two"), digest(b"222")).replace('"text":"two"', '"text":"222"')
    log.write_bytes(first + b"\n" + seal(line))
    assert log.stat().st_size == before.st_size
    os.utime(log, ns=(before.st_mtime_ns, before.st_mtime_ns))
    (folder / "prd.md").write_text("222")
    do(store.put("prd", "333"))
    assert texts(store) == ["one", "222", "333"]
