"""Memory in Redis under fire: a real server that comes and goes, is frozen, or cut off."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Connection

from scripts.runtime.errors import StoreError
from scripts.runtime.settings import RedisSettings
from scripts.runtime.stores import redismemory
from scripts.runtime.stores.protocol import Entry
from scripts.runtime.stores.redismemory import HISTORY, PAGE, RedisMemory
from scripts.runtime.stores.redisscripts import Script, script
from tests.faults.rounds import ROUNDS
from tests.process import free_port
from tests.redis_proxy import Proxy
from tests.redis_server import RedisServer, redis_server

SCOPE = "shared:all"
GUARD = 60.0 * ROUNDS  # seconds until a wait counts as endless

Use = Callable[..., Awaitable[Any]]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def server(shared: RedisServer) -> RedisServer:
    """An empty server for tests that leave it running."""
    with shared.client() as client:
        client.flushall()
    return shared


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[RedisServer]:
    """A server for tests that kill it."""
    with redis_server(tmp_path / "redis") as running:
        yield running


@contextlib.asynccontextmanager
async def opened(settings: RedisSettings, **options: Any) -> AsyncIterator[RedisMemory]:
    store = RedisMemory(settings, **options)
    try:
        yield store
    finally:
        await store.close()


def run(use: Awaitable[Any]) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(GUARD):
            return await use

    return asyncio.run(bounded())


async def refused(call: Awaitable[Any]) -> StoreError:
    with pytest.raises(StoreError) as caught:
        await call
    return caught.value


def everything(store: RedisMemory) -> list[Awaitable[Any]]:
    """Each thing that a store can be asked."""
    entry = Entry("k", 1, SCOPE, "2026-01-01T00:00:00.000Z", 1)
    return [
        store.get(SCOPE, "k"),
        store.entries(SCOPE),
        store.history(SCOPE, "k"),
        store.put(SCOPE, "k", 1),
        store.delete(SCOPE, "k"),
        store.scopes(),
        store.dump(SCOPE),
        store.load(SCOPE, [entry]),
        store.check(),
    ]


class TestDown:
    def test_down_at_the_start_and_there_later(
        self, mortal: RedisServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        mortal.kill()

        async def use() -> None:
            async with opened(mortal.settings()) as store:
                for _ in range(3):
                    await refused(store.check())
                mortal.start()
                await store.check()
                assert (await store.put(SCOPE, "k", 1)).seq == 1

        run(use())
        told = [record.getMessage() for record in caplog.records]
        assert len(told) == 2
        assert told[0].startswith(f"memory at {mortal.url}: Redis cannot be reached (")
        assert told[1] == f"memory at {mortal.url} answers again"

    def test_scripts_forgotten_in_between(self, server: RedisServer) -> None:
        async def use() -> None:
            async with opened(server.settings()) as store:
                for number in range(3):
                    with server.client() as client:
                        client.script_flush()
                    calls = (store.put(SCOPE, f"k{n}", number) for n in range(20))
                    found = await asyncio.gather(*calls)
                    assert [entry.seq for entry in found] == list(
                        range(number * 20 + 1, number * 20 + 21)
                    )

        run(use())


class TestFrozen:
    def test_nobody_waits_for_ever_and_all_is_well_afterwards(self, server: RedisServer) -> None:
        async def use() -> None:
            async with opened(server.settings(), seconds=0.3) as store:
                await store.put(SCOPE, "before", 1)
                server.freeze()
                try:
                    # More than the connections that there may be, and than one pipeline takes.
                    calls = [store.put(SCOPE, f"k{n}", n) for n in range(1500)]
                    told = await asyncio.gather(*calls, *everything(store), return_exceptions=True)
                finally:
                    server.thaw()
                assert {str(error) for error in told} == {"Redis did not answer within 0.3 seconds"}
                assert {error.status for error in told} == {503}
                for number in range(200):
                    entry = await store.put(SCOPE, "after", number)
                    assert await store.get(SCOPE, "after") == entry
                with server.client() as client:
                    ours = [each for each in client.client_list() if each["name"] == "bmad2pf"]
                    assert len(ours) == 1

        run(use())

    def test_the_loop_is_free_meanwhile(self, server: RedisServer) -> None:
        async def use() -> None:
            async with opened(server.settings(), seconds=0.3) as store:
                await store.check()
                server.freeze()
                try:
                    waiting = asyncio.create_task(refused(store.check()))
                    turns = 0
                    while not waiting.done():
                        await asyncio.sleep(0)
                        turns += 1
                finally:
                    server.thaw()
                assert turns > 100

        run(use())


class TestRefusals:
    def test_a_replica_takes_no_writes_until_it_is_none(self, server: RedisServer) -> None:
        async def use() -> None:
            async with opened(server.settings()) as store:
                await store.put(SCOPE, "k", 1)
                with server.client() as client:
                    client.replicaof("127.0.0.1", str(free_port()))
                    try:
                        for call in (store.put(SCOPE, "k", 2), store.check()):
                            error = await refused(call)
                            assert error.status == 503
                            assert error.message == "Redis is a replica that takes no writes"
                            # The next one looks its name up anew, and may find the new master.
                            while client.info("clients")["connected_clients"] > 1:
                                await asyncio.sleep(0.001)
                        assert (await store.entries(SCOPE))[0].value == 1
                    finally:
                        client.replicaof("NO", "ONE")
                assert (await store.put(SCOPE, "k", 3)).seq == 2

        run(use())

    def test_a_key_of_another_program(self, server: RedisServer) -> None:
        async def use() -> None:
            with server.client() as client:
                client.set(f"bmad_pf_memory:{SCOPE}", "not a hash")
            async with opened(server.settings()) as store:
                error = await refused(store.put(SCOPE, "k", 1))
                assert error.message == "Redis keeps something of another program under this key"
                assert (await store.put("shared:other", "k", 1)).seq == 1

        run(use())

    def test_what_is_no_entry_is_told_and_passed_over(
        self, server: RedisServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def use() -> None:
            async with opened(server.settings()) as store:
                entry = await store.put(SCOPE, "k", 1)
                other = await store.put("shared:other", "c", 2)
                with server.client() as client:
                    key = f"bmad_pf_memory:{SCOPE}"
                    stolen = client.hget("bmad_pf_memory:shared:other", "c")
                    mine = client.hget(key, "k")
                    odd = {
                        "a": "{",
                        "b": "[]",
                        "c": stolen,
                        "d": mine,
                        "e": b"\xff",
                        "f": '{"seq":1}',
                    }
                    client.hset(key, mapping=odd)
                assert await store.entries(SCOPE) == [entry]
                assert await store.get(SCOPE, "c") is None
                assert await store.get("shared:other", "c") == other
                assert store.problems == {SCOPE: len(odd) + 1}
                with server.client() as client:
                    client.hdel(key, *odd)
                assert await store.entries(SCOPE) == [entry]
                assert store.problems == {}

        run(use())
        assert len(caplog.records) == 7


@contextlib.asynccontextmanager
async def through_proxy(
    server: RedisServer, **options: Any
) -> AsyncIterator[tuple[Proxy, RedisMemory]]:
    async with Proxy(server.port).running() as proxy:
        settings = server.settings(url=f"redis://127.0.0.1:{proxy.port}/0")
        async with opened(settings, **options) as store:
            yield proxy, store


def doubled(entries: list[Entry]) -> list[Any]:
    """Values that stand in a history more than once: writers write each only once."""
    return [
        value for value, number in Counter(entry.value for entry in entries).items() if number > 1
    ]


class TestCutOff:
    """Connections end between a question and its answer, at any moment."""

    async def write(self, server: RedisServer, seed: int) -> tuple[list[Entry], list[Entry]]:
        """What was acknowledged, and what is there."""
        chance = random.Random(seed)
        async with contextlib.AsyncExitStack() as stack:
            proxy, store = await stack.enter_async_context(through_proxy(server))
            url = f"redis://127.0.0.1:{proxy.port}/0"
            others = [opened(server.settings(url=url)) for _ in range(3)]
            stores = [store, *[await stack.enter_async_context(other) for other in others]]
            proxy.loses = lambda question: b"EVAL" in question and chance.random() < 0.2

            async def writer(name: int) -> list[Entry]:
                kept = []
                for number in range(25):
                    with contextlib.suppress(StoreError):
                        value = f"{name}:{number}"
                        kept.append(await stores[name % 4].put(SCOPE, f"k{name}", value))
                return kept

            lists = await asyncio.gather(*(writer(name) for name in range(12)))
            assert proxy.lost > 5
            proxy.loses = lambda question: False
            return [entry for each in lists for entry in each], (await store.dump(SCOPE))[1]

    def test_nothing_acknowledged_is_lost_or_doubled(self, server: RedisServer) -> None:
        for seed in range(ROUNDS):
            with server.client() as client:
                client.flushall()
            acknowledged, there = run(self.write(server, seed))
            assert len(acknowledged) > 200
            by_number = {entry.seq: entry for entry in there}
            assert len(by_number) == len(there)
            for entry in acknowledged:
                assert by_number[entry.seq] == entry
            assert doubled(there) == []

    def test_a_script_that_does_not_look_is_found_out(
        self, server: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The planted fault: what may have been done is done again."""
        naive: Script = script(redismemory.WRITE.source.replace("ARGV[6] == '1'", "false"))
        monkeypatch.setattr(redismemory, "WRITE", naive)
        _, there = run(self.write(server, 0))
        assert doubled(there) != []

    def test_a_write_is_found_behind_many_others(self, server: RedisServer) -> None:
        """Its answer is lost, and others write before it is asked for again."""

        async def use() -> None:
            async with through_proxy(server) as (proxy, store), opened(server.settings()) as other:
                proxy.loses = lambda question: b"EVAL" in question
                first = asyncio.create_task(store.put(SCOPE, "k", "first"))
                while not proxy.connections or not await other.entries(SCOPE):
                    await asyncio.sleep(0)
                await asyncio.gather(*(other.put(SCOPE, f"k{n}", n) for n in range(200)))
                proxy.loses = lambda question: False
                assert (await first).seq == 1
                assert len(await other.history(SCOPE, "k")) == 1

        run(use())


async def crossed(ask: Callable[[int], Awaitable[Any]], rounds: int) -> int:
    """How many of those that were not cancelled got another's answer."""
    wrong = 0
    chance = random.Random(1)
    for _ in range(rounds):
        tasks = [asyncio.create_task(ask(number)) for number in range(10)]
        await asyncio.sleep(chance.choice([0, 0.002, 0.006, 0.012]))
        for task in chance.sample(tasks, 5):
            task.cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        answers = [
            pair for pair in enumerate(found) if not isinstance(pair[1], asyncio.CancelledError)
        ]
        wrong += sum(answer != number for number, answer in answers)
    return wrong


class TestCrossTalk:
    """CVE-2023-28858: who is cancelled leaves an answer behind for the next one to read."""

    def test_no_one_gets_the_answer_of_another(self, server: RedisServer) -> None:
        async def use() -> None:
            async with through_proxy(server) as (proxy, store):
                for number in range(10):
                    await store.put(SCOPE, f"k{number}", number)
                proxy.delay = 0.008

                async def ask(number: int) -> Any:
                    entry = await store.get(SCOPE, f"k{number}")
                    return None if entry is None else entry.value

                assert await crossed(ask, 25 * ROUNDS) == 0

        run(use())

    def test_a_client_that_keeps_the_connection_is_found_out(self, server: RedisServer) -> None:
        """The planted fault: redis-py's connection, told not to end itself."""

        async def use() -> None:
            with server.client() as client:
                for number in range(10):
                    client.set(f"k{number}", number)
            async with Proxy(server.port).running() as proxy:
                connection = Connection(host="127.0.0.1", port=proxy.port)
                await connection.connect()
                proxy.delay = 0.008
                turn = asyncio.Lock()

                async def ask(number: int) -> Any:
                    async with turn:
                        await connection.send_command("GET", f"k{number}")
                        return int(await connection.read_response(disconnect_on_error=False))

                assert await crossed(ask, 5) > 0
                await connection.disconnect()

        run(use())


class TestKeeping:
    """What stands in Redis, and for how long."""

    def test_time_to_live_begins_anew_with_each_write(self, server: RedisServer) -> None:
        keys = (f"bmad_pf_memory:{SCOPE}", f"bmad_pf_history:{SCOPE}")

        async def use() -> None:
            async with opened(server.settings(ttl=500)) as store:
                await store.put(SCOPE, "k", 1)
                with server.client() as client:
                    for change in (store.put(SCOPE, "k", 2), store.delete(SCOPE, "k")):
                        for key in keys:
                            client.expire(key, 5)
                        await change
                        assert {client.ttl(key) for key in keys} <= {499, 500}
                    await store.load(SCOPE, (await store.dump(SCOPE))[1])
                    assert {client.ttl(key) for key in keys} <= {499, 500}
            async with opened(server.settings(ttl=None)) as store:
                await store.put(SCOPE, "k", 3)
                with server.client() as client:
                    assert [client.ttl(key) for key in keys] == [-1, -1]

        run(use())

    def test_history_is_bounded_and_the_newest_values_are_not(self, server: RedisServer) -> None:
        async def use() -> None:
            async with opened(server.settings()) as store:
                old = await store.put(SCOPE, "old", "still here")
                for start in range(0, HISTORY + 50, 50):
                    await asyncio.gather(
                        *(store.put(SCOPE, "k", n) for n in range(start, start + 50))
                    )
                history = await store.history(SCOPE, "k")
                assert len(history) == HISTORY
                assert history[-1].seq == HISTORY + 51
                assert await store.history(SCOPE, "old") == []
                seq, entries = await store.dump(SCOPE)
                assert (seq, entries) == (HISTORY + 51, [old, *history])
                await store.load("shared:copy", [_moved(entry) for entry in entries])
                assert await store.dump("shared:copy") == (seq, [_moved(e) for e in entries])

        run(use())

    def test_a_dump_while_the_oldest_writes_go(self, server: RedisServer) -> None:
        """A deletion that is trimmed while it is read does not bring back what it deleted."""

        async def use() -> None:
            async with opened(server.settings()) as store, opened(server.settings()) as other:
                for _ in range(3):
                    await asyncio.gather(*(store.put(SCOPE, f"k{n}", n) for n in range(PAGE)))
                    await asyncio.gather(*(store.delete(SCOPE, f"k{n}") for n in range(PAGE)))
                dumping = asyncio.create_task(store.dump(SCOPE))
                while not dumping.done():
                    await asyncio.gather(*(other.put(SCOPE, "new", n) for n in range(PAGE)))
                seq, entries = await dumping
                newest = {entry.key: entry for entry in entries}
                alive = {key for key, entry in newest.items() if entry.op == "set"}
                assert alive <= {"new"}
                assert max(entry.seq for entry in entries) == seq

        run(use())

    def test_a_scope_whose_hash_was_evicted_goes_on_counting(self, server: RedisServer) -> None:
        async def use() -> None:
            async with opened(server.settings()) as store:
                for number in range(3):
                    await store.put(SCOPE, "k", number)
                with server.client() as client:
                    client.delete(f"bmad_pf_memory:{SCOPE}")
                assert await store.get(SCOPE, "k") is None
                assert (await store.put(SCOPE, "k", "new")).seq == 4
                assert (await store.put(SCOPE, "k", "newer")).seq == 5
                with server.client() as client:
                    client.delete(f"bmad_pf_history:{SCOPE}")
                assert (await store.put(SCOPE, "k", "newest")).seq == 6

        run(use())

    def test_a_restore_that_dies_half_way_changes_nothing_and_goes_away(
        self, server: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(redismemory, "SWAP", script("return redis.error_reply('ERR dead')"))

        async def use() -> None:
            async with opened(server.settings()) as store:
                before = await store.put(SCOPE, "k", 1)
                entries = [Entry("k", n, SCOPE, before.timestamp, n) for n in range(1, 300)]
                await refused(store.load(SCOPE, entries))
                assert await store.dump(SCOPE) == (1, [before])
                assert await store.scopes() == [SCOPE]
                with server.client() as client:
                    left = client.keys("bmad_pf_building:*")
                    assert len(left) == 2
                    assert all(0 < client.ttl(key) <= 60 for key in left)

        run(use())


def _moved(entry: Entry) -> Entry:
    return Entry(
        entry.key, entry.value, "shared:copy", entry.timestamp, entry.seq, entry.op, entry.category
    )
