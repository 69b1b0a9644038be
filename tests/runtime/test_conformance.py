"""Each memory backend against one model of what a memory is. A further one joins BACKENDS."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
import types
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from scripts.runtime.errors import StoreError
from scripts.runtime.settings import MemorySettings, Settings
from scripts.runtime.stores.memory import FileMemory
from scripts.runtime.stores.protocol import Entry, MemoryStore
from scripts.runtime.stores.record import MAX_VALUE
from scripts.runtime.stores.select import make_memory
from tests.documents import GUIDE, blocks
from tests.redis_server import redis_server

from .conformance import Conformance, Open, moved

# Each call is a new place; what it returns opens one more store on it, as a process does.
NewPlace = Callable[[], Open]


@contextlib.contextmanager
def files(folder: Path) -> Iterator[NewPlace]:
    numbers = itertools.count()

    def place() -> Open:
        here = folder / str(next(numbers))
        return lambda: FileMemory(here)

    yield place


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[NewPlace]:
    """One server; a place is a prefix. The prefixes are patterns too, and begin with each other."""
    from scripts.runtime.stores.redismemory import RedisMemory

    numbers = itertools.count()
    with redis_server(folder) as server:

        def place() -> Open:
            chosen = server.settings(key_prefix="*" * (next(numbers) + 1) + "_")
            return lambda: RedisMemory(chosen)

        yield place


@contextlib.contextmanager
def own(folder: Path) -> Iterator[NewPlace]:
    """The class of the guide, named in the settings as a user names it."""
    (code,) = (block.text for block in blocks(GUIDE / "memory.md") if block.kind == "python")
    module = types.ModuleType("my_memory")
    exec(compile(code.replace("generated.", "scripts."), "memory.md", "exec"), module.__dict__)  # noqa: S102
    sys.modules[module.__name__] = module
    numbers = itertools.count()

    def place() -> Open:
        here = folder / str(next(numbers))
        here.mkdir()
        module.__dict__["FILE"] = here / "memory.db"
        memory = MemorySettings(backend="my_memory:SqliteMemory")
        chosen = Settings(memory=memory, root=here, data_dir=here)

        def open() -> MemoryStore:
            module.__dict__["FILE"] = here / "memory.db"
            return make_memory(chosen)

        return open

    try:
        yield place
    finally:
        del sys.modules[module.__name__]


BACKENDS: dict[str, Callable[[Path], AbstractContextManager[NewPlace]]] = {
    "file": files,
    "redis": redis,
    "own": own,
}


@pytest.fixture(scope="module", params=BACKENDS)
def new_place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NewPlace]:
    with BACKENDS[request.param](tmp_path_factory.mktemp(request.param)) as place:
        yield place


@pytest.fixture
def place(new_place: NewPlace) -> Open:
    return new_place()


def with_stores(place: Open, number: int, use: Callable[..., Awaitable[Any]]) -> Any:
    """What `use` returns when it is called with so many stores on the same data."""

    async def run() -> Any:
        stores = [place() for _ in range(number)]
        try:
            return await use(*stores)
        finally:
            for store in stores:
                await store.close()

    return asyncio.run(run())


def test_it_behaves_as_a_dict_that_keeps_its_history(new_place: NewPlace) -> None:
    def machine() -> Conformance:
        here = type("Here", (Conformance,), {"open": staticmethod(new_place())})
        made: Conformance = here()
        return made

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            suppress_health_check=list(HealthCheck),
            deadline=None,
        ),
    )


def test_concurrent_writers_get_numbers_of_their_own(place: Open) -> None:
    async def use(*stores: MemoryStore) -> None:
        async def write(store: MemoryStore, name: str) -> list[Entry]:
            written = []
            for number in range(30):
                written.append(await store.put("shared:all", f"k{number % 3}", [name, number]))
                written.append(await store.put("shared:all", name, number))
            return written

        names = [f"w{number}" for number in range(6)]
        writers = (write(stores[place % 3], name) for place, name in enumerate(names))
        lists = await asyncio.gather(*writers)
        written = sorted(itertools.chain(*lists), key=lambda entry: entry.seq)
        assert [entry.seq for entry in written] == list(range(1, 361))
        newest = {entry.key: entry for entry in written}
        for store in stores:
            assert await store.dump("shared:all") == (360, written)
            entries = await store.entries("shared:all")
            assert entries == sorted(newest.values(), key=lambda entry: -entry.seq)
            assert [entry.value for entry in await store.history("shared:all", "w0")] == [
                *range(30)
            ]

    with_stores(place, 3, use)


def test_one_deletion_of_a_key_wins(place: Open) -> None:
    async def use(*stores: MemoryStore) -> None:
        for number in range(20):
            await stores[0].put("a:S-1", "k", number)
            told = await asyncio.gather(*(store.delete("a:S-1", "k") for store in stores * 2))
            assert sorted(told) == [False, False, False, True]
        assert len(await stores[0].history("a:S-1", "k")) == 40

    with_stores(place, 2, use)


def replayed(entries: list[Entry]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in entries:
        found.pop(entry.key, None)
        if entry.op == "set":
            found[entry.key] = entry.value
    return found


async def write_and_delete(
    store: MemoryStore, states: list[dict[str, Any]], dumps: Sequence[object]
) -> None:
    """`states` gets what each number leaves. Twenty writes beside each of ten dumps."""
    for number in range(200):
        seen = len(dumps)
        await asyncio.sleep(0)
        while number % 20 == 19 and len(dumps) == seen:
            await asyncio.sleep(0)
        key, state = f"k{number % 7}", dict(states[-1])
        state.pop(key, None)
        if number % 5 < 4:
            entry = await store.put("a:S-1", key, number)
            assert entry.seq == len(states)
            states.append({**state, key: number})
        elif await store.delete("a:S-1", key):
            states.append(state)


def test_a_dump_is_of_one_moment(place: Open) -> None:
    """Each key's newest value up to the number that it names, whatever is written meanwhile."""

    async def use(writer: MemoryStore, reader: MemoryStore) -> None:
        states: list[dict[str, Any]] = [{}]
        dumps: list[tuple[int, list[Entry]]] = []
        writing = asyncio.create_task(write_and_delete(writer, states, dumps))
        while not writing.done():
            dumps.append(await reader.dump("a:S-1"))
        await writing
        assert len({seq for seq, _ in dumps}) > 3
        for seq, entries in dumps:
            assert [entry.seq for entry in entries] == list(range(1, seq + 1))
            assert replayed(entries) == states[seq]

    with_stores(place, 2, use)


@pytest.mark.parametrize("make", [lambda n: "x" * (n - 2), lambda n: ["é" * ((n - 4) // 6)]])
def test_values_up_to_one_megabyte(place: Open, make: Callable[[int], Any]) -> None:
    async def use(store: MemoryStore, other: MemoryStore) -> None:
        value = make(MAX_VALUE)
        await asyncio.gather(*(store.put("a:S-1", f"k{n}", value) for n in range(3)))
        found = await other.get("a:S-1", "k2")
        assert found is not None
        assert found.value == value
        with pytest.raises(StoreError) as caught:
            await store.put("a:S-1", "k0", make(MAX_VALUE + 6))
        assert caught.value.status == 413
        seq, entries = await store.dump("a:S-1")
        await other.load("b:S-1", moved(entries, "b:S-1"))
        assert [entry.value for entry in await store.entries("b:S-1")] == [value] * seq
        assert seq == 3

    with_stores(place, 2, use)


def test_cancelled_callers_disturb_nobody(place: Open) -> None:
    async def use(store: MemoryStore) -> None:
        for number in range(20):
            await store.put("a:S-1", f"k{number}", number)
        for _ in range(10):
            asked = [asyncio.create_task(store.get("a:S-1", f"k{n}")) for n in range(20)]
            await asyncio.sleep(0)
            for task in asked[::2]:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
            for number, task in enumerate(asked):
                if not task.cancelled():
                    assert task.result().value == number
        await store.put("a:S-1", "after", True)

    with_stores(place, 1, use)
