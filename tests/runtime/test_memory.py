"""Memory in files: what is written is read, by whoever shares the folder."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import resource
import shutil
import stat
import tempfile
import zlib
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from scripts.runtime.errors import InvalidName, StoreError
from scripts.runtime.stores import memory as memory_module
from scripts.runtime.stores import turn
from scripts.runtime.stores.journal import Journal
from scripts.runtime.stores.lines import CHUNK
from scripts.runtime.stores.memory import Durability, FileMemory
from scripts.runtime.stores.names import parse_scope
from scripts.runtime.stores.protocol import Entry
from scripts.runtime.stores.record import MAX_VALUE, BadLine, decode, encode, encode_value

Use = Callable[[FileMemory], Coroutine[Any, Any, Any]]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=10,
)


def using(folder: Path, use: Use, durability: Durability = "commit", **options: Any) -> Any:
    async def run() -> Any:
        memory = FileMemory(folder, durability, **options)
        try:
            return await use(memory)
        finally:
            await memory.close()

    return asyncio.run(run())


def open_files_below(folder: Path) -> int:
    links = (os.path.realpath(path) for path in Path("/proc/self/fd").iterdir())
    return sum(link.startswith(str(folder)) for link in links)


def write(folder: Path, *values: Any, scope: str = "a:S-1", key: str = "k") -> None:
    async def use(memory: FileMemory) -> None:
        for value in values:
            await memory.put(scope, key, value)

    using(folder, use)


def read(folder: Path, scope: str = "a:S-1", key: str = "k") -> Any:
    entry = using(folder, lambda memory: memory.get(scope, key))
    return None if entry is None else entry.value


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "isolated" / "a_S-1.jsonl"


def test_record_as_it_is_written(tmp_path: Path, file: Path) -> None:
    write(tmp_path, {"é": [1, None]})
    line = file.read_bytes()
    assert line.isascii()
    assert line.endswith(b"}\n")
    fields = json.loads(line)
    assert list(fields) == ["key", "value", "scope", "timestamp", "op", "seq", "crc"]
    assert (fields["key"], fields["value"]) == ("k", {"é": [1, None]})
    assert (fields["scope"], fields["op"], fields["seq"]) == ("a:S-1", "set", 1)
    without = line[: line.rindex(b',"crc"')] + b"}"
    assert fields["crc"] == f"{zlib.crc32(without):08x}"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("durability", ["commit", "always"])
def test_values_entries_history_and_deletion(tmp_path: Path, durability: Durability) -> None:
    async def use(memory: FileMemory) -> None:
        scope = "shared:notes"
        assert await memory.get(scope, "a") is None
        assert await memory.entries(scope) == []
        assert not await memory.delete(scope, "a")
        first = await memory.put(scope, "a", 1)
        await memory.put(scope, "b", {"x": []})
        await memory.put(scope, "a", "two")
        assert await memory.get(scope, "a") == first.__class__(
            "a", "two", scope, (await memory.entries(scope))[0].timestamp, 3
        )
        assert [entry.key for entry in await memory.entries(scope)] == ["a", "b"]
        assert await memory.delete(scope, "a")
        assert await memory.get(scope, "a") is None
        history = await memory.history(scope, "a")
        assert [(entry.value, entry.op, entry.seq) for entry in history] == [
            (1, "set", 1),
            ("two", "set", 3),
            (None, "delete", 4),
        ]
        assert (await memory.put(scope, "a", 5)).seq == 5

    using(tmp_path, use, durability)
    assert read(tmp_path, "shared:notes", "a") == 5
    assert [path.name for path in tmp_path.rglob("*.jsonl")] == ["notes.jsonl"]


def test_a_returned_value_can_be_changed_without_harm(tmp_path: Path) -> None:
    async def use(memory: FileMemory) -> None:
        await memory.put("a:S-1", "k", {"x": [1]})
        entry = await memory.get("a:S-1", "k")
        assert entry is not None
        entry.value["x"].append(2)
        again = await memory.get("a:S-1", "k")
        assert again is not None
        assert again.value == {"x": [1]}

    using(tmp_path, use)


def test_a_write_does_not_suspend_its_task(tmp_path: Path) -> None:
    async def use(memory: FileMemory) -> None:
        for number in range(3):
            with pytest.raises(StopIteration) as ended:  # a coroutine that ran to its end
                memory.put("a:S-1", "k", number).send(None)
            assert ended.value.value.seq == number + 1

    using(tmp_path, use)


def test_durable_writes_share_a_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)

    async def use(memory: FileMemory) -> None:
        await memory.put("a:S-1", "k", 0)
        writes = (memory.put("a:S-1", f"k{number}", number) for number in range(64))
        assert len(await asyncio.gather(*writes)) == 64

    using(tmp_path, use, "always")
    assert len(synced) <= 4


def test_a_cancelled_writer_does_not_cancel_the_others(tmp_path: Path) -> None:
    async def use(memory: FileMemory) -> None:
        tasks = [asyncio.create_task(memory.put("a:S-1", f"k{n}", n)) for n in range(5)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(result, Entry) for result in results] == [True, False, True, True, True]

    using(tmp_path, use, "always")


def test_a_large_file_is_read_in_blocks(tmp_path: Path, file: Path) -> None:
    write(tmp_path, *range(5000))
    size = file.stat().st_size

    async def use(memory: FileMemory) -> None:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(others())
        assert (await memory.get("a:S-1", "k")) is not None
        task.cancel()
        assert turns >= size // CHUNK >= 2

    using(tmp_path, use)


def test_categories_are_kept_and_others_refused(tmp_path: Path, file: Path) -> None:
    async def use(memory: FileMemory) -> None:
        await memory.put("a:S-1", "k", 1, category="quality_insight")
        await memory.put("a:S-1", "plain", 2)
        with pytest.raises(InvalidName):
            await memory.put("a:S-1", "k", 1, category="gossip")

    using(tmp_path, use)
    first, second = file.read_bytes().splitlines()
    assert json.loads(first)["category"] == "quality_insight"
    assert "category" not in json.loads(second)
    entries = using(tmp_path, lambda memory: memory.entries("a:S-1"))
    assert [entry.category for entry in entries] == [None, "quality_insight"]


def test_a_scope_moves_with_its_history(tmp_path: Path) -> None:
    long = f"{'a' * 64}:S{'_.' * 49}x"

    async def fill(memory: FileMemory) -> Any:
        await memory.check()
        for scope in ("a:S_1", "shared:n_1", long):
            await memory.put(scope, "k", {"x": 1}, category="collaboration")
            await memory.put(scope, "gone", "é")
            await memory.delete(scope, "gone")
        return {scope: await memory.dump(scope) for scope in await memory.scopes()}

    async def take(memory: FileMemory) -> Any:
        await memory.put("a:S_1", "old", 1)
        for scope, (_, entries) in dumped.items():
            await memory.load(scope, entries)
        assert [entry.key for entry in await memory.entries("a:S_1")] == ["k"]
        assert (await memory.put("a:S_1", "next", 1)).seq == 4
        await memory.load("a:S_1", dumped["a:S_1"][1])
        return {scope: await memory.dump(scope) for scope in await memory.scopes()}

    dumped = using(tmp_path / "one", fill)
    assert sorted(dumped) == list(dumped) == sorted(["a:S_1", "shared:n_1", long])
    assert [entry.op for entry in dumped["a:S_1"][1]] == ["set", "set", "delete"]
    assert dumped["a:S_1"][0] == 3
    assert using(tmp_path / "two", take) == dumped


@pytest.mark.parametrize("change", [{"seq": 1}, {"scope": "b:S-1"}, {"op": "x"}, {"key": "../k"}])
def test_what_is_no_dump_is_not_loaded(tmp_path: Path, change: dict[str, Any]) -> None:
    async def use(memory: FileMemory) -> None:
        await memory.put("a:S-1", "k", 1)
        entries = [Entry("k", n, "a:S-1", "2026-01-01T00:00:00.000Z", n) for n in (1, 2)]
        with pytest.raises(InvalidName):
            await memory.load("a:S-1", [entries[0], entries[1]._replace(**change)])
        assert (await memory.dump("a:S-1"))[0] == 1

    using(tmp_path, use)


def test_a_folder_that_can_hold_nothing(tmp_path: Path) -> None:
    (tmp_path / "memory").write_text("a file")
    with pytest.raises(StoreError) as caught:
        using(tmp_path / "memory", lambda memory: memory.check())
    assert caught.value.status == 503


def test_two_processes_see_each_other_at_once(tmp_path: Path) -> None:
    async def use(memory: FileMemory) -> None:
        other = FileMemory(tmp_path)
        for number in range(5):
            await memory.put("a:S-1", "k", number)
            entry = await other.get("a:S-1", "k")
            assert entry is not None
            assert entry.value == number
            assert (await other.put("a:S-1", "k", -number)).seq == 2 * number + 2
            entry = await memory.get("a:S-1", "k")
            assert entry is not None
            assert entry.value == -number
        await other.close()

    using(tmp_path, use)


def test_more_scopes_than_open_files(tmp_path: Path) -> None:
    async def use(memory: FileMemory) -> None:
        scopes = [f"a:S-{number}" for number in range(20)]
        for _ in range(2):
            await asyncio.gather(*(memory.put(scope, "k", scope) for scope in scopes))
        assert open_files_below(tmp_path) <= 3
        for scope in scopes:
            entry = await memory.get(scope, "k")
            assert entry is not None
            assert (entry.value, entry.seq) == (scope, 2)

    using(tmp_path, use, max_open=3)


def test_a_process_that_may_open_few_files_keeps_few_open(tmp_path: Path) -> None:
    async def use(memory: FileMemory) -> None:
        for number in range(300):
            await memory.put(f"a:S-{number}", "k", number)
        assert 0 < open_files_below(tmp_path) <= 50

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, before[1]))
    try:
        using(tmp_path, use)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_file_that_may_only_be_read_is_read(tmp_path: Path) -> None:
    async def use(memory: FileMemory) -> None:
        assert [entry.value for entry in await memory.entries("shared:all")] == ["text"]
        assert (await memory.dump("shared:all"))[0] == 1
        for _ in range(2):
            with pytest.raises(StoreError, match=r"all\.jsonl|may only be read"):
                await memory.put("shared:all", "k", "new")
        assert path.read_bytes() == before
        path.chmod(0o600)
        assert (await memory.put("shared:all", "k", "new")).seq == 2

    using(tmp_path, lambda memory: memory.put("shared:all", "k", "text"))
    path = tmp_path / "shared" / "all.jsonl"
    before = path.read_bytes()
    path.chmod(0o400)
    if os.access(path, os.W_OK):
        pytest.skip("who runs the tests may write everything")
    using(tmp_path, use)


def test_what_is_not_there_closes_no_file(tmp_path: Path) -> None:
    async def use(memory: FileMemory) -> None:
        other = FileMemory(tmp_path)
        await memory.put("a:S-1", "k", 1)
        for number in range(2, 20):
            assert await memory.get(f"a:S-{number}", "k") is None
            assert await memory.entries(f"a:S-{number}") == []
        assert open_files_below(tmp_path) == 1
        await other.put("a:S-2", "k", "theirs")
        assert [entry.value for entry in await memory.entries("a:S-2")] == ["theirs"]
        await other.close()

    using(tmp_path, use, max_open=3)


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        [float("inf")],
        "a\ud800",
        {"\udc00": 1},
        b"bytes",
        {1, 2},
        object(),
        10**5000,
    ],
    ids=["nan", "inf", "surrogate", "surrogate key", "bytes", "set", "object", "long number"],
)
def test_what_is_no_json_is_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(InvalidName):
        write(tmp_path, value)
    assert list(tmp_path.rglob("*.jsonl")) == []


def test_depth_and_size_are_bounded(tmp_path: Path) -> None:
    deep: Any = "x"
    for _ in range(100):
        deep = [deep]
    write(tmp_path, deep)
    assert read(tmp_path) == deep
    with pytest.raises(InvalidName):
        write(tmp_path, [deep])
    largest = "x" * (MAX_VALUE - 2)
    write(tmp_path, largest)
    assert read(tmp_path) == largest
    with pytest.raises(StoreError) as caught:
        write(tmp_path, largest + "x")
    assert caught.value.status == 413
    assert read(tmp_path) == largest


@given(JSON)
def test_any_json_comes_back_equal(value: Any) -> None:
    entry = Entry("k", value, "a:S-1", "2026-01-01T00:00:00.000Z", 7)
    found = decode(encode(entry, encode_value(value))[:-1])
    assert found == entry
    assert json.dumps(found.value) == json.dumps(value)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_record_or_a_bad_line(line: bytes) -> None:
    with pytest.raises(BadLine):
        decode(line)


@pytest.mark.parametrize(
    "body",
    [
        b'{"key":"k","value":1,"scope":"a:S-1","timestamp":"t","op":"set"}',
        b'{"key":"k","value":1,"scope":"a:S-1","timestamp":"t","op":"set","seq":"1"}',
        b'{"key":"k","value":1,"scope":"a:S-1","timestamp":"t","op":"set","seq":true}',
        b'{"key":"k","value":1,"scope":"a:S-1","timestamp":"t","op":"drop","seq":1}',
        b'{"key":5,"value":1,"scope":"a:S-1","timestamp":"t","op":"set","seq":1}',
        b'{"key":"k","value":1,"more":2,"scope":"a:S-1","timestamp":"t","op":"set","seq":1}',
        b'{"key":"k","value":1 ,"scope":"a:S-1","timestamp":"t","op":"set","seq":1}',
        b'{"key":"k","value":,"scope":"a:S-1","timestamp":"t","op":"set","seq":1}',
        b'{"key":"k","value":1,"scope":"a:S-1","timestamp":"t","op":"set","category":"x","seq":1}',
        b"[1]",
        b"}",
    ],
)
def test_a_checksum_alone_makes_no_record(body: bytes) -> None:
    with pytest.raises(BadLine):
        decode(body[:-1] + b',"crc":"%08x"}' % zlib.crc32(body))


class TestBadLines:
    def test_torn_tail_is_dropped_with_a_warning(
        self, tmp_path: Path, file: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        write(tmp_path, 1, 2)
        whole = file.read_bytes()
        file.write_bytes(whole[:-5])
        assert read(tmp_path) == 1  # it may still be on its way
        assert caplog.messages == []

        async def use(memory: FileMemory) -> None:
            entry = await memory.put("a:S-1", "k", 3)
            assert entry.seq == 2
            assert memory.problems == {}

        using(tmp_path, use)
        assert read(tmp_path) == 3
        assert [json.loads(line)["value"] for line in file.read_bytes().splitlines()] == [1, 3]
        assert len(caplog.messages) == 1
        assert "never finished" in caplog.messages[0]

    def test_tail_that_lacks_only_its_newline_counts(self, tmp_path: Path, file: Path) -> None:
        write(tmp_path, 1, 2)
        file.write_bytes(file.read_bytes()[:-1])
        write(tmp_path, 3, key="other")
        assert read(tmp_path) == 2
        assert using(tmp_path, lambda memory: memory.get("a:S-1", "other")).seq == 3

    def test_every_bit_flip_is_seen_and_hides_nothing_else(
        self, tmp_path: Path, file: Path
    ) -> None:
        write(tmp_path, "one", key="a")
        write(tmp_path, "two", key="b")
        write(tmp_path, "three", key="c")
        whole = file.read_bytes()
        start, end = whole.index(b"\n") + 1, whole.rindex(b"\n", 0, -1)
        for position in range(start, end):
            for bit in range(8):
                flipped = bytearray(whole)
                flipped[position] ^= 1 << bit
                file.write_bytes(flipped)

                async def use(memory: FileMemory) -> None:
                    found = {entry.key: entry.value for entry in await memory.entries("a:S-1")}
                    assert found == {"a": "one", "c": "three"}
                    assert memory.problems["isolated/a_S-1.jsonl"] >= 1

                using(tmp_path, use)

    @pytest.mark.parametrize("junk", [b"\x00" * 5000, b"{}", b"\r", b"x" * 3_000_000])
    def test_junk_between_records(self, tmp_path: Path, file: Path, junk: bytes) -> None:
        write(tmp_path, 1)
        with file.open("ab") as stream:
            stream.write(junk + b"\n")
        write(tmp_path, 2, key="other")
        assert read(tmp_path) == 1
        assert read(tmp_path, key="other") == 2

    @pytest.mark.parametrize("size", [10, 400_000, 3_000_000])
    def test_zero_tail(self, tmp_path: Path, file: Path, size: int) -> None:
        write(tmp_path, 1)
        with file.open("ab") as stream:
            stream.write(b"\x00" * size)
        assert read(tmp_path) == 1
        write(tmp_path, 2)
        assert read(tmp_path) == 2
        history = using(tmp_path, lambda memory: memory.history("a:S-1", "k"))
        assert [entry.value for entry in history] == [1, 2]

    def test_repeated_tail_is_no_second_write(self, tmp_path: Path, file: Path) -> None:
        write(tmp_path, 1, 2)
        whole = file.read_bytes()
        file.write_bytes(whole + whole[whole.index(b"\n") + 1 :])
        history = using(tmp_path, lambda memory: memory.history("a:S-1", "k"))
        assert [entry.seq for entry in history] == [1, 2]

    def test_lines_of_another_scope_are_not_taken(self, tmp_path: Path, file: Path) -> None:
        write(tmp_path, "theirs", scope="b:S-1")
        file.write_bytes((tmp_path / "isolated" / "b_S-1.jsonl").read_bytes())
        assert read(tmp_path) is None

    def test_empty_lines_and_an_empty_file(self, tmp_path: Path, file: Path) -> None:
        file.parent.mkdir(parents=True)
        file.write_bytes(b"")
        assert read(tmp_path) is None
        file.write_bytes(b"\n\n")
        write(tmp_path, 1)

        async def use(memory: FileMemory) -> None:
            assert await memory.get("a:S-1", "k") is not None
            assert memory.problems == {}

        using(tmp_path, use)


VALUES = [("one", "two"), ({"n": 1}, {"n": 2})]  # kept in the index, and read again


class TestChangesUnderneath:
    """Between two calls of one store, its file is changed by someone else."""

    def check(
        self, folder: Path, change: Callable[[], object], values: Sequence[Any], after: Any
    ) -> None:
        async def use(memory: FileMemory) -> None:
            for value in values:
                await memory.put("a:S-1", "k", value)
            change()
            entry = await memory.get("a:S-1", "k")
            assert (entry.value if entry else None) == after
            await memory.put("a:S-1", "k", "new")
            entry = await memory.get("a:S-1", "k")
            assert entry is not None
            assert entry.value == "new"

        using(folder, use)
        assert read(folder) == "new"

    @pytest.mark.parametrize("values", VALUES)
    def test_deleted(self, tmp_path: Path, file: Path, values: Sequence[Any]) -> None:
        self.check(tmp_path, file.unlink, values, None)

    @pytest.mark.parametrize("values", VALUES)
    def test_cut(self, tmp_path: Path, file: Path, values: Sequence[Any]) -> None:
        def cut() -> None:
            os.truncate(file, file.read_bytes().index(b"\n") + 1)

        self.check(tmp_path, cut, values, values[0])

    @pytest.mark.parametrize("values", VALUES)
    def test_replaced(self, tmp_path: Path, file: Path, values: Sequence[Any]) -> None:
        def replace() -> None:
            first = file.read_bytes().split(b"\n")[0] + b"\n"
            other = file.with_suffix(".new")
            other.write_bytes(first)
            other.replace(file)

        self.check(tmp_path, replace, values, values[0])

    def test_cut_while_it_is_read(self, tmp_path: Path, file: Path) -> None:
        write(tmp_path, 1)
        journal = Journal(file, "a:S-1")
        assert journal.refresh()
        for missing in (10, CHUNK + 10, 3 * MAX_VALUE):
            assert journal._catch_up(file.stat().st_size + missing)
        assert journal.bad_lines == 0
        journal.close()

    def test_overwritten_in_place(self, tmp_path: Path, file: Path) -> None:
        def flip() -> None:
            content = bytearray(file.read_bytes())
            content[-30] ^= 1
            with file.open("r+b") as stream:
                stream.write(content)

        self.check(tmp_path, flip, [{"n": 1}, {"n": 2}], {"n": 1})


@pytest.mark.parametrize("kind", ["link", "dangling", "fifo", "folder"])
def test_what_is_no_regular_file_is_refused(tmp_path: Path, file: Path, kind: str) -> None:
    target = tmp_path / "target"
    file.parent.mkdir()
    if kind == "link":
        target.write_text("safe")
        file.symlink_to(target)
    elif kind == "dangling":
        file.symlink_to(target)
    elif kind == "fifo":
        os.mkfifo(file)
    else:
        file.mkdir()
    with pytest.raises(StoreError):
        write(tmp_path, 1)
    with pytest.raises(StoreError):
        read(tmp_path)
    assert kind != "link" or target.read_text() == "safe"
    assert kind != "dangling" or not target.exists()


def test_a_lock_that_is_never_given_back(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 1)
    monkeypatch.setattr(memory_module, "LOCK_SECONDS", 0.05)
    with file.open("ab") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(StoreError) as caught:
            write(tmp_path, 2)
    assert caught.value.status == 503
    assert read(tmp_path) == 1


def test_the_loop_is_free_while_others_hold_the_lock(tmp_path: Path, file: Path) -> None:
    write(tmp_path, 1)

    async def use(memory: FileMemory) -> None:
        with file.open("ab") as holder:
            fcntl.flock(holder, fcntl.LOCK_EX)
            waiting = asyncio.create_task(memory.put("a:S-1", "k", 2))
            for _ in range(20):
                await asyncio.sleep(0)
            assert not waiting.done()
            await memory.put("b:S-1", "k", "other files are free")
            fcntl.flock(holder, fcntl.LOCK_UN)
            assert (await waiting).seq == 2

    using(tmp_path, use)


def test_a_file_that_people_replace_is_the_file_from_then_on(tmp_path: Path, file: Path) -> None:
    """By one of the same size, so that nothing but the folder's time tells."""

    async def settled(memory: FileMemory, seconds: int) -> Any:
        """The value, looked at when the folder has not changed for long."""
        os.utime(file.parent, (seconds, seconds))
        entry = await memory.get("a:S-1", "k")
        return entry and entry.value

    async def use(memory: FileMemory) -> None:
        others = FileMemory(tmp_path / "others")
        for value in (1, 2):
            await memory.put("a:S-1", "k", value)
            await others.put("a:S-1", "k", value + 2)
        other = tmp_path / "others" / "isolated" / file.name
        shutil.copy(other, tmp_path / "copy")
        assert await settled(memory, 1) == 2
        (tmp_path / "copy").replace(file)
        entry = await memory.get("a:S-1", "k")
        assert entry is not None
        assert entry.value == 4
        assert await settled(memory, 2) == 4
        other.replace(file)
        for _ in range(1_000):  # writers look once in a millisecond
            await memory.put("a:S-1", "k", 5)
            if await asyncio.to_thread(lambda: b'"value":5' in file.read_bytes()):
                break
        else:
            pytest.fail("what is written goes to a file that is not there any more")
        await others.close()

    using(tmp_path, use)


def test_who_has_waited_for_long_goes_first(tmp_path: Path, file: Path) -> None:
    """One that writes without pause would keep the others out: `flock` has no queue."""
    write(tmp_path, 1)

    async def use(memory: FileMemory) -> None:
        with file.open("ab") as holder:
            fcntl.flock(holder, fcntl.LOCK_EX)
            waiting = asyncio.create_task(memory.put("a:S-1", "k", 2))
            while not turn.is_anothers(str(file.parent)):
                await asyncio.sleep(0)
            fcntl.flock(holder, fcntl.LOCK_UN)
        busy = Journal(file, "a:S-1")
        busy.refresh()
        assert busy.append("k", 3, "3", "set", None, patient=False) is None
        assert (await waiting).seq == 2
        assert not turn.is_anothers(str(file.parent))
        while not busy.refresh():
            pass
        assert busy.append("k", 3, "3", "set", None, patient=False) is not None
        busy.close()

    using(tmp_path, use)


class MemoryModel(RuleBasedStateMachine):
    """Two stores on one folder behave as one dict that keeps its history."""

    scopes = st.sampled_from(["a:S-1", "a:S_1", "a_S:1", "shared:S-1", "shared:a_S-1"])
    keys = st.sampled_from(["k", "k.1", "K"])
    values = st.one_of(JSON, st.integers(10_900, 50_000).map("é".__mul__))

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.loop = asyncio.new_event_loop()
        self.stores = [FileMemory(Path(self.folder.name), max_open=2) for _ in range(2)]
        self.model: dict[str, dict[str, Any]] = {}
        self.history: dict[tuple[str, str], list[Any]] = {}

    def run(self, call: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(call)

    @rule(who=st.integers(0, 1), scope=scopes, key=keys, value=values)
    def put(self, who: int, scope: str, key: str, value: Any) -> None:
        self.run(self.stores[who].put(scope, key, value))
        found = self.model.setdefault(scope, {})
        found.pop(key, None)
        found[key] = value
        self.history.setdefault((scope, key), []).append(value)

    @rule(who=st.integers(0, 1), scope=scopes, key=keys)
    def delete(self, who: int, scope: str, key: str) -> None:
        was_there = key in self.model.get(scope, {})
        assert self.run(self.stores[who].delete(scope, key)) is was_there
        if was_there:
            del self.model[scope][key]
            self.history[scope, key].append(None)

    @rule(who=st.integers(0, 1), scope=scopes, key=keys)
    def get(self, who: int, scope: str, key: str) -> None:
        entry = self.run(self.stores[who].get(scope, key))
        assert (entry is not None) is (key in self.model.get(scope, {}))
        if entry is not None:
            assert entry.value == self.model[scope][key]

    @rule(who=st.integers(0, 1), scope=scopes, key=keys)
    def past(self, who: int, scope: str, key: str) -> None:
        found = self.run(self.stores[who].history(scope, key))
        assert [entry.value for entry in found] == self.history.get((scope, key), [])

    @precondition(lambda self: self.model)
    @rule(who=st.integers(0, 1))
    def reopen(self, who: int) -> None:
        self.run(self.stores[who].close())

    @rule(scope=scopes, tail=st.binary(min_size=1, max_size=50).filter(lambda b: b"\n" not in b))
    def tear(self, scope: str, tail: bytes) -> None:
        place = parse_scope(scope)
        path = Path(self.folder.name, place.folder, place.file)
        if path.exists():
            with path.open("ab") as stream:
                stream.write(tail)

    @invariant()
    def entries(self) -> None:
        for scope, found in self.model.items():
            for store in self.stores:
                entries = self.run(store.entries(scope))
                assert [(e.key, e.value) for e in entries] == list(found.items())[::-1]

    def teardown(self) -> None:
        for store in self.stores:
            self.run(store.close())
        self.loop.close()
        self.folder.cleanup()


TestModel = MemoryModel.TestCase
TestModel.settings = settings(
    max_examples=30, stateful_step_count=25, suppress_health_check=list(HealthCheck), deadline=None
)
