"""Compaction: what is kept, when it happens, and that nobody notices."""

from __future__ import annotations

import asyncio
import fcntl
import os
import stat
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.runtime.errors import StoreError
from scripts.runtime.stores import journal, rewrite
from scripts.runtime.stores.compacting import Compactor, compact_now
from scripts.runtime.stores.index import Index
from scripts.runtime.stores.journal import Journal
from scripts.runtime.stores.memory import FileMemory
from scripts.runtime.stores.reading import writes
from scripts.runtime.stores.rewrite import Abandoned, compact, replace, sweep
from scripts.runtime.stores.verify import verify

SCOPE = "shared:all"
Use = Callable[[FileMemory], Coroutine[Any, Any, Any]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "shared" / "all.jsonl"


def using(folder: Path, use: Use, **options: Any) -> Any:
    async def run() -> Any:
        memory = FileMemory(folder, **options)
        try:
            return await use(memory)
        finally:
            await memory.close()

    return asyncio.run(run())


def fill(folder: Path, values: Sequence[tuple[str, Any]], **options: Any) -> None:
    async def use(memory: FileMemory) -> None:
        for key, value in values:
            if value is None:
                await memory.delete(SCOPE, key)
            else:
                await memory.put(SCOPE, key, value)

    using(folder, use, **options)


def read_in(file: Path, history: int) -> Journal:
    reader = Journal(file, SCOPE, history)
    while not reader.refresh():
        pass
    return reader


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.booleans(), st.integers(1, 50)), max_size=40),
    st.integers(1, 6),
)
def test_an_index_knows_what_is_live(
    changes: Sequence[tuple[str, bool, int]], history: int
) -> None:
    index, offset = Index(history), 0
    records = []
    for seq, (key, is_set, length) in enumerate(changes, 1):
        index.add(key, "set" if is_set else "delete", (offset, length, seq, None))
        records.append((key, is_set, offset, length))
        offset += length + 1
    newest = {key: (is_set, place, length) for key, is_set, place, length in records}
    kept = {(place, length) for is_set, place, length in newest.values() if is_set}
    kept |= {(place, length) for _, _, place, length in records[-history:]}
    assert index.plan()() == sorted(kept)
    assert index.live == sum(length + 1 for _, length in kept)


def test_keeps_the_newest_of_each_key_and_the_last_writes(tmp_path: Path, file: Path) -> None:
    fill(tmp_path, [("old", 1), ("gone", 1), ("gone", None), *(("k", n) for n in range(20))])
    size = file.stat().st_size
    assert compact_now(file, 5) == size - file.stat().st_size > 0
    kept = writes(file, SCOPE)
    assert [(entry.key, entry.value) for entry in kept] == [
        ("old", 1),
        *(("k", n) for n in range(15, 20)),
    ]
    assert verify(file).is_whole
    assert compact_now(file, 5) == 0

    async def use(memory: FileMemory) -> None:
        assert (await memory.put(SCOPE, "k", "next")).seq == 24
        assert [entry.value for entry in await memory.history(SCOPE, "k")] == [
            *range(15, 20),
            "next",
        ]

    using(tmp_path, use)


def test_keeps_mode_and_owner(tmp_path: Path, file: Path) -> None:
    fill(tmp_path, [("k", number) for number in range(20)])
    file.chmod(0o640)
    with suppress(PermissionError):  # only root may
        os.chown(file, 65534, 65534)
    before, inode = file.stat(), file.stat().st_ino
    assert compact_now(file, 5) > 0
    assert file.stat().st_ino != inode
    status = file.stat()
    assert stat.S_IMODE(status.st_mode) == 0o640
    assert (status.st_uid, status.st_gid) == (before.st_uid, before.st_gid)


def test_the_last_number_is_kept_when_all_was_deleted(tmp_path: Path, file: Path) -> None:
    fill(tmp_path, [("k", "x" * 50), ("k", None)])
    assert compact_now(file, 1)
    assert [entry.op for entry in writes(file, SCOPE)] == ["delete"]
    fill(tmp_path, [("k", 1)])
    assert writes(file, SCOPE)[-1].seq == 3


def test_happens_by_itself_and_nobody_notices(tmp_path: Path, file: Path) -> None:
    async def use(memory: FileMemory) -> None:
        other = FileMemory(tmp_path)
        largest = 0
        for number in range(2000):
            entry = await memory.put(SCOPE, f"k{number % 3}", f"{number}")
            assert entry.seq == number + 1
            if number % 20 == 0:
                await asyncio.sleep(0.001)
                found = await other.get(SCOPE, f"k{number % 3}")
                assert found == entry
            largest = max(largest, os.stat(file).st_size)  # noqa: PTH116
        assert largest < 100_000
        await other.close()

    using(tmp_path, use, history=10, compactor=Compactor(10_000, 2))
    assert file.stat().st_size < 30_000
    assert [path.name for path in file.parent.iterdir()] == ["all.jsonl"]


def test_does_not_happen_below_its_limits(tmp_path: Path, file: Path) -> None:
    async def use(memory: FileMemory) -> None:
        for number in range(300):
            await memory.put(SCOPE, "k", number)
            await asyncio.sleep(0)

    using(tmp_path, use, history=1, compactor=Compactor(1_000_000, 2))
    using(tmp_path, use, history=10**6, compactor=Compactor(1000, 2))
    assert len(writes(file, SCOPE)) == 600


def test_a_writer_that_knows_the_old_file_only(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "SURE_SECONDS", 3600)  # the size alone tells

    async def use(memory: FileMemory) -> None:
        await memory.put(SCOPE, "k", 1)
        await memory.put(SCOPE, "k", 2)
        assert compact_now(file, 1)  # by another process
        assert (await memory.put(SCOPE, "k", 3)).seq == 3

    using(tmp_path, use)
    assert [entry.value for entry in writes(file, SCOPE)] == [2, 3]


def test_what_is_written_meanwhile_is_kept(tmp_path: Path, file: Path) -> None:
    fill(tmp_path, [("k", n) for n in range(10)])
    reader = read_in(file, 1)
    plan, end, identity = reader.index.plan()(), reader.end, reader.identity
    fill(tmp_path, [("late", "x"), ("k", "new")])
    assert identity is not None
    compact(file, identity, plan, end)
    assert [entry.value for entry in writes(file, SCOPE)] == [9, "x", "new"]
    with pytest.raises(Abandoned):
        compact(file, identity, plan, end)
    reader.close()


def test_an_index_that_is_wrong_costs_nothing(tmp_path: Path, file: Path) -> None:
    fill(tmp_path, [("k", n) for n in range(10)])
    reader = read_in(file, 1)
    before = file.read_bytes()
    assert reader.identity is not None
    with pytest.raises(Abandoned):
        compact(file, reader.identity, [(3, 50)], reader.end)
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["all.jsonl"]
    reader.close()


def test_a_lock_that_is_never_given_back(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, [("k", n) for n in range(10)])
    before = file.read_bytes()
    monkeypatch.setattr(rewrite, "LOCK_SECONDS", 0.01)
    with file.open("rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(StoreError) as caught:
            compact_now(file, 1)
    assert caught.value.status == 503
    assert file.read_bytes() == before


def test_leftovers_are_swept_but_not_from_under_a_compaction(tmp_path: Path) -> None:
    left, held = tmp_path / "a.jsonl.1-ab.tmp", tmp_path / "a.jsonl.2-cd.tmp"
    left.write_bytes(b"half")
    with held.open("wb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        assert sweep(tmp_path) == 1
    assert not left.exists()
    assert held.exists()


def test_what_is_no_file_is_not_swept(tmp_path: Path) -> None:
    left = "a.jsonl.1-ab.tmp"
    link, folder, theirs = tmp_path / f"l{left}", tmp_path / f"f{left}", tmp_path / "notes.tmp"
    link.symlink_to(tmp_path / "elsewhere")
    folder.mkdir()
    theirs.write_bytes(b"someone else's")
    (tmp_path / left).write_bytes(b"half")
    assert sweep(tmp_path) == 1
    assert {*tmp_path.iterdir()} == {link, folder, theirs}


def test_a_file_that_is_swept_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service starts between two calls of one that restores."""
    lock, swept = fcntl.flock, []

    def sweep_first(descriptor: int, how: int) -> None:
        if how == fcntl.LOCK_EX and not swept:
            swept.append(None)
            assert sweep(tmp_path / "shared") == 1
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", sweep_first)
    path = tmp_path / "shared" / "a.jsonl"
    replace(path, b"new\n")
    assert swept
    assert path.read_bytes() == b"new\n"
    assert list(path.parent.iterdir()) == [path]
