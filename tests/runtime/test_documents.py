"""Documents as files: whole or not there, whatever lies beside them."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from scripts.runtime.errors import Conflict, InvalidName, StoreError
from scripts.runtime.stores import shelf as shelf_module
from scripts.runtime.stores import turn
from scripts.runtime.stores.documents import MAX_BYTES, FileDocuments
from scripts.runtime.stores.protocol import Document, Revision
from scripts.runtime.stores.revisions import History

Use = Callable[[FileDocuments], Coroutine[Any, Any, Any]]
DAY = 86_400.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "docs"


def using(folder: Path, use: Use, **options: Any) -> Any:
    return asyncio.run(use(FileDocuments(folder, **options)))


def get(folder: Path, document_id: str = "prd") -> Document:
    found = using(folder, lambda store: store.get(document_id))
    assert isinstance(found, Document)
    return found


def put(
    folder: Path, text: str, document_id: str = "prd", revisions: int = 100, **options: Any
) -> Any:
    return using(folder, lambda store: store.put(document_id, text, **options), revisions=revisions)


def delete(folder: Path, **options: Any) -> Any:
    return using(folder, lambda store: store.delete("prd", **options))


def revisions(folder: Path, **options: Any) -> list[Revision]:
    """Oldest first."""
    found = using(folder, lambda store: store.revisions("prd"), **options)
    return list(reversed(found))


def names(folder: Path) -> list[str]:
    return [info.id for info in using(folder, lambda store: store.list())]


@pytest.mark.parametrize("durability", ["commit", "always"])
@pytest.mark.parametrize("text", ["", "# Plan\r\n\rß🎈\x00\n", "x" * 200_000])
def test_text_comes_back_as_it_was(folder: Path, text: str, durability: str) -> None:
    async def use(store: FileDocuments) -> None:
        assert await store.get("prd") is None
        assert not await store.exists("prd")
        info, is_new = await store.put("prd", text)
        assert is_new
        assert await store.get("prd") == Document(info, text)
        assert await store.exists("prd")
        assert await store.list() == [info]
        assert await store.put("prd", text + "!") != (info, False)
        assert await store.delete("prd")
        assert not await store.delete("prd")
        assert await store.list() == []

    using(folder, use, durability=durability)
    assert [path for path in folder.rglob("*") if not path.is_dir()] == []


def test_what_is_known_of_a_document(folder: Path) -> None:
    first, is_new = put(folder, "äb")
    assert is_new
    assert first.size == 3
    assert first.etag[0] == first.etag[-1] == '"'
    assert first.created_at == first.updated_at
    marker = folder / ".store" / "revisions" / "prd.jsonl"
    earlier = marker.stat().st_mtime - DAY
    os.utime(marker, (earlier, earlier))
    second, is_new = put(folder, "other")
    assert not is_new
    assert second.etag != first.etag
    assert datetime.fromisoformat(second.created_at).timestamp() == pytest.approx(earlier, abs=0.01)
    assert second.updated_at >= first.updated_at
    assert get(folder).info == second
    assert put(folder, "äb")[0].etag == first.etag


def test_a_document_that_was_put_there_by_hand(folder: Path) -> None:
    folder.mkdir()
    path = folder / "prd.md"
    path.write_text("by hand")
    long_ago = path.stat().st_mtime - DAY
    os.utime(path, (long_ago, long_ago))
    by_hand = get(folder)
    assert by_hand.text == "by hand"
    assert by_hand.info.created_at == by_hand.info.updated_at
    replaced, is_new = put(folder, "by us")
    assert not is_new
    assert replaced.created_at == by_hand.info.created_at
    assert replaced.updated_at > by_hand.info.updated_at


def test_a_new_document_of_an_old_name_is_new(folder: Path) -> None:
    put(folder, "a")
    marker = folder / ".store" / "revisions" / "prd.jsonl"
    os.utime(marker, (1000, 1000))
    using(folder, lambda store: store.delete("prd"))
    info, is_new = put(folder, "b")
    assert is_new
    assert info.created_at == info.updated_at


class TestIfMatch:
    def test_only_the_present_state_is_replaced(self, folder: Path) -> None:
        first = put(folder, "one")[0]
        second = put(folder, "two", if_match=first.etag)[0]
        for tag in (first.etag, "two", "", f"W/{second.etag}"):
            with pytest.raises(Conflict) as caught:
                put(folder, "three", if_match=tag)
            assert caught.value.status == 412
        assert get(folder).text == "two"
        put(folder, "three", if_match=f'"other", {second.etag}')
        put(folder, "four", if_match="*")
        assert get(folder).text == "four"

    def test_what_is_not_there_matches_nothing(self, folder: Path) -> None:
        for tag in ("*", '"x"'):
            with pytest.raises(Conflict):
                put(folder, "one", if_match=tag)
            with pytest.raises(Conflict):
                delete(folder, if_match=tag)
        assert names(folder) == []
        assert [path for path in folder.rglob("*") if path.is_file()] == []

    def test_only_what_is_not_there_is_made(self, folder: Path) -> None:
        assert put(folder, "one", if_none_match="*")[1]
        for text in ("one", "two"):
            with pytest.raises(Conflict) as caught:
                put(folder, text, if_none_match="*")
            assert caught.value.status == 412
        assert get(folder).text == "one"
        delete(folder)
        assert put(folder, "three", if_none_match="*")[1]

    def test_a_state_that_is_not_to_be_replaced(self, folder: Path) -> None:
        etag = put(folder, "one")[0].etag
        for tags in (etag, f'"other", W/{etag}'):
            with pytest.raises(Conflict):
                put(folder, "two", if_none_match=tags)
        put(folder, "two", if_none_match='"other"')
        with pytest.raises(Conflict):
            put(folder, "three", if_match="*", if_none_match="*")
        assert get(folder).text == "two"

    def test_of_many_makers_exactly_one_wins(self, folder: Path) -> None:
        async def use(store: FileDocuments) -> list[Any]:
            calls = [store.put("prd", f"{number}", if_none_match="*") for number in range(5)]
            return await asyncio.gather(*calls, return_exceptions=True)

        answers = using(folder, use)
        assert sum(not isinstance(answer, Conflict) for answer in answers) == 1

    def test_deleting(self, folder: Path) -> None:
        etag = put(folder, "one")[0].etag
        with pytest.raises(Conflict):
            delete(folder, if_match='"other"')
        assert delete(folder, if_match=etag)

    def test_of_many_at_once_exactly_one_wins(self, folder: Path) -> None:
        etag = put(folder, "start")[0].etag

        async def use(store: FileDocuments) -> list[Any]:
            other = FileDocuments(folder)
            writes = (
                (store, other)[number % 2].put("prd", f"{number}" * 70_000, if_match=etag)
                for number in range(8)
            )
            return await asyncio.gather(*writes, return_exceptions=True)

        results = using(folder, use)
        won = [number for number, result in enumerate(results) if isinstance(result, tuple)]
        assert len(won) == 1
        assert sum(isinstance(result, Conflict) for result in results) == 7
        assert get(folder).text == f"{won[0]}" * 70_000


class TestForeignFiles:
    def test_are_not_listed(self, folder: Path) -> None:
        put(folder, "mine")
        (folder / "guide").mkdir()
        (folder / "guide" / "http.md").write_text("x")
        (folder / "folder.md").mkdir()
        (folder / "notes.txt").write_text("x")
        (folder / ".hidden.md").write_text("x")
        (folder / "two words.md").write_text("x")
        (folder / "link.md").symlink_to(folder / "prd.md")
        os.mkfifo(folder / "pipe.md")
        assert names(folder) == ["prd"]

    @pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "folder"])
    def test_are_neither_read_nor_written(self, tmp_path: Path, folder: Path, kind: str) -> None:
        folder.mkdir()
        path, target = folder / "prd.md", tmp_path / "secret"
        if kind == "link":
            target.write_text("safe")
        if kind in ("link", "dangling"):
            path.symlink_to(target)
        elif kind == "pipe":
            os.mkfifo(path)
        else:
            path.mkdir()
        assert using(folder, lambda store: store.get("prd")) is None
        assert not using(folder, lambda store: store.exists("prd"))
        assert not using(folder, lambda store: store.delete("prd"))
        with pytest.raises(StoreError):
            put(folder, "overwritten")
        assert os.path.lexists(path)
        assert target.exists() is (kind == "link")
        assert kind != "link" or target.read_text() == "safe"

    def test_planted_marker_and_folders(self, tmp_path: Path, folder: Path) -> None:
        target = tmp_path / "secret"
        target.write_text("safe")
        (folder / ".store" / "revisions").mkdir(parents=True)
        (folder / ".store" / "revisions" / "prd.jsonl").symlink_to(target)
        with pytest.raises(StoreError):
            put(folder, "x")
        assert target.read_text() == "safe"

    def test_bytes_that_are_no_text(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "prd.md").write_bytes(b"\xff\xfe")
        with pytest.raises(StoreError, match="not UTF-8"):
            get(folder)
        assert names(folder) == ["prd"]
        with pytest.raises(StoreError, match="is not written over: save it as UTF-8"):
            put(folder, "text")
        assert (folder / "prd.md").read_bytes() == b"\xff\xfe"
        assert list((folder / ".store" / "new").iterdir()) == []
        put(folder, "text", revisions=0)
        assert get(folder).text == "text"

    @pytest.mark.parametrize("way", ["named", "deleted"])
    def test_bytes_that_are_no_text_go_when_someone_says_so(self, folder: Path, way: str) -> None:
        folder.mkdir()
        (folder / "prd.md").write_bytes(b"caf\xe9")
        etag = using(folder, lambda store: store.list())[0].etag
        if way == "deleted":
            assert delete(folder, if_match=etag)
        put(folder, "text", if_match=etag if way == "named" else None)
        assert get(folder).text == "text"


def test_a_file_that_may_not_be_read_hides_no_other(folder: Path) -> None:
    put(folder, "text")
    (folder / "README.md").write_text("secret")
    (folder / "README.md").chmod(0)
    if os.access(folder / "README.md", os.R_OK):
        pytest.skip("who runs the tests may read everything")
    found = using(folder, lambda store: store.list())
    assert [(info.id, bool(info.etag)) for info in found] == [("README", False), ("prd", True)]
    for call in (
        lambda store: store.get("README"),
        lambda store: store.put("README", "text"),
        lambda store: store.dump("README"),
    ):
        with pytest.raises(StoreError, match=r"README\.md: Permission denied"):
            using(folder, call)


def test_a_read_only_file_system_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, "one")
    put(folder, "two")
    (folder / "theirs.md").write_text("by hand")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    opened = os.open

    def refused(path: Any, flags: int, *rest: Any) -> int:
        if flags & (os.O_RDWR | os.O_WRONLY | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        return opened(path, flags, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refused)
        patched.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=os.ST_RDONLY))
        dumps = {
            name: using(folder, lambda store, name=name: store.dump(name))  # type: ignore[misc]
            for name in ("prd", "theirs")
        }
        with pytest.raises(StoreError, match="Read-only file system"):
            put(folder, "three")
    assert [text for _, text in dumps["prd"]] == ["one", "two"]
    assert [(revision.rev, text) for revision, text in dumps["theirs"]] == [(1, "by hand")]
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("mode", [0o600, 0o664])
@pytest.mark.parametrize("revisions", [0, 3])
def test_a_document_keeps_its_mode(folder: Path, mode: int, revisions: int) -> None:
    put(folder, "one")
    path = folder / "prd.md"
    path.chmod(mode)
    for number in range(20):  # the history is trimmed meanwhile
        put(folder, f"{number}", revisions=revisions)
        assert stat.S_IMODE(path.stat().st_mode) == mode
    kept = [(Revision(7, "", "2026-01-01T00:00:00Z", 3, {"kind": "unknown"}), "old")]
    using(folder, lambda store: store.load("prd", kept))
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("old", mode)
    assert all(stat.S_IMODE(each.stat().st_mode) == 0o600 for each in folder.rglob("*.jsonl"))


def test_what_root_writes_anew_keeps_its_owner(folder: Path) -> None:
    put(folder, "one")
    files = [folder / "prd.md", folder / ".store" / "revisions" / "prd.jsonl"]
    try:
        for path in files:
            os.chown(path, 65534, 65534)
    except PermissionError:
        pytest.skip("who runs the tests may not give files away")
    for number in range(20):
        put(folder, f"{number}", revisions=1)
    assert [(path.stat().st_uid, path.stat().st_gid) for path in files] == [(65534, 65534)] * 2


def test_sizes_are_bounded(folder: Path) -> None:
    put(folder, "x" * MAX_BYTES)
    with pytest.raises(StoreError) as caught:
        put(folder, "x" * (MAX_BYTES + 1))
    assert caught.value.status == 413
    assert get(folder).info.size == MAX_BYTES
    assert using(folder, lambda store: store.list())[0].etag
    os.truncate(folder / "prd.md", MAX_BYTES + 1)
    with pytest.raises(StoreError):
        get(folder)
    (info,) = using(folder, lambda store: store.list())
    assert (info.etag, info.size) == ("", MAX_BYTES + 1)


def test_a_lone_surrogate_is_refused(folder: Path) -> None:
    with pytest.raises(InvalidName):
        put(folder, "a\ud800")


@pytest.mark.parametrize("document_id", ["../x", "a/b", "", ".x", "a\n", "x" * 201])
def test_hostile_ids(tmp_path: Path, document_id: str) -> None:
    async def use(store: FileDocuments) -> None:
        for call in (store.get, store.exists, store.delete):
            with pytest.raises(InvalidName):
                await call(document_id)
        with pytest.raises(InvalidName):
            await store.put(document_id, "x")

    using(tmp_path / "docs", use)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_is_never_given_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, "one")
    monkeypatch.setattr(shelf_module, "LOCK_SECONDS", 0.05)

    async def use(store: FileDocuments) -> None:
        held = History.lock(str(folder / ".store" / "revisions" / "prd.jsonl"))
        assert held is not None
        with pytest.raises(StoreError) as caught:
            await store.put("prd", "two")
        assert caught.value.status == 503
        await store.put("other", "free")
        held.close()

    using(folder, use)
    assert get(folder).text == "one"


def test_who_has_waited_for_long_goes_first(folder: Path) -> None:
    """A process that writes without pause would keep the others out: `flock` has no queue."""
    put(folder, "one")
    histories = folder / ".store" / "revisions"

    async def use(store: FileDocuments) -> None:
        held = History.lock(str(histories / "prd.jsonl"))
        assert held is not None
        waiting = asyncio.create_task(store.put("prd", "two"))
        while not turn.is_anothers(str(histories)):
            await asyncio.sleep(0)
        held.close()
        assert await FileDocuments(folder).delete("prd")
        assert (await waiting)[1] is False, "it replaced what was deleted only then"
        assert await store.get("prd") is None
        assert not turn.is_anothers(str(histories))

    using(folder, use)


def test_a_lock_whose_file_was_removed_meanwhile_is_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder, "one")
    marker = folder / ".store" / "revisions" / "prd.jsonl"
    real = fcntl.flock
    tries: list[int] = []

    def flock(descriptor: int, operation: int) -> None:
        if not tries:
            marker.unlink()  # its holder has just deleted the document
        tries.append(descriptor)
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)

    put(folder, "two")
    assert len(tries) == 2
    assert [rev.rev for rev in revisions(folder)] == [1, 2], "what lay there is the first"


def test_leftovers_of_killed_writers_are_removed(folder: Path) -> None:
    put(folder, "one")
    old, young = folder / ".store" / "new" / "old", folder / ".store" / "new" / "young"
    for path in (old, young):
        path.write_text("half")
    os.utime(old, (1000, 1000))
    put(folder, "two")
    assert (old.exists(), young.exists()) == (False, True)


class DocumentModel(RuleBasedStateMachine):
    """Two stores on one folder behave as one dict."""

    ids = st.sampled_from(["prd", "PRD", "S-1__prd", "a.b"])
    texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.integers(
        60_000, 80_000
    ).map("y".__mul__)

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.loop = asyncio.new_event_loop()
        self.stores = [FileDocuments(Path(self.folder.name, "docs")) for _ in range(2)]
        self.model: dict[str, str] = {}
        self.created: dict[str, str] = {}
        self.history: dict[str, list[str]] = {}

    def run(self, call: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(call)

    @rule(who=st.integers(0, 1), document_id=ids, text=texts)
    def put(self, who: int, document_id: str, text: str) -> None:
        info, is_new = self.run(self.stores[who].put(document_id, text))
        assert is_new is (document_id not in self.model)
        assert info.created_at == self.created.setdefault(document_id, info.created_at)
        if self.model.get(document_id) != text:
            self.history.setdefault(document_id, []).append(text)
        self.model[document_id] = text

    @rule(document_id=ids, text=texts)
    def edit(self, document_id: str, text: str) -> None:
        """By hand; two edits between which nobody looks are one."""
        path = Path(self.folder.name, "docs", f"{document_id}.md")
        if self.model.get(document_id, text) != text:
            path.write_text(text)
            self.history[document_id].append(text)
            self.model[document_id] = text
            self.run(self.stores[0].revisions(document_id))

    @rule(who=st.integers(0, 1), document_id=ids)
    def delete(self, who: int, document_id: str) -> None:
        was_there = self.model.pop(document_id, None) is not None
        self.created.pop(document_id, None)
        self.history.pop(document_id, None)
        assert self.run(self.stores[who].delete(document_id)) is was_there

    @invariant()
    def all_is_there(self) -> None:
        for store in self.stores:
            infos = self.run(store.list())
            assert [info.id for info in infos] == sorted(self.model)
            for info in infos:
                found = self.run(store.get(info.id))
                assert (found.info, found.text) == (info, self.model[info.id])
                kept = self.run(store.dump(info.id))
                assert [text for _, text in kept] == self.history[info.id]
                assert [rev.rev for rev, _ in kept] == list(range(1, len(kept) + 1))

    def teardown(self) -> None:
        self.run(self.loop.shutdown_default_executor())
        self.loop.close()
        self.folder.cleanup()


TestModel = DocumentModel.TestCase
TestModel.settings = settings(
    max_examples=20, stateful_step_count=15, suppress_health_check=list(HealthCheck), deadline=None
)
