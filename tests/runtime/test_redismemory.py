"""How memory in Redis travels: pipelines, connections, and what stands there in the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.runtime.context import FlowContext
from scripts.runtime.errors import StoreError, StoreUnavailable
from scripts.runtime.group import ParallelGroup
from scripts.runtime.recall.indexes import Recall
from scripts.runtime.services import Services
from scripts.runtime.settings import RedisSettings
from scripts.runtime.stores.redismemory import RedisMemory
from tests.redis_server import RedisServer, redis_server

from .agents import Scripted, agent

SCOPE = "analyst:S-1"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as started:
        yield started


@pytest.fixture
def server(running: RedisServer) -> RedisServer:
    with running.client() as client:
        client.flushall()
    return running


def using(settings: RedisSettings, use: Callable[[RedisMemory], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        store = RedisMemory(settings)
        try:
            return await use(store)
        finally:
            await store.close()

    return asyncio.run(run())


def reads(server: RedisServer) -> int:
    """How often the server has read from a connection."""
    with server.client() as client:
        found: int = client.info("stats")["total_reads_processed"]
        return found


def connections(server: RedisServer) -> int:
    with server.client() as client:
        return sum(each["name"] == "bmad2pf" for each in client.client_list())


def test_what_stands_in_redis(server: RedisServer) -> None:
    async def use(store: RedisMemory) -> None:
        await store.put(SCOPE, "k", {"é": [1]}, category="quality_insight")
        await store.put(SCOPE, "gone", 1)
        await store.delete(SCOPE, "gone")

    using(server.settings(), use)
    with server.client() as client:
        keys = {b"bmad_pf_memory:analyst:S-1": b"hash", b"bmad_pf_history:analyst:S-1": b"stream"}
        assert {key: client.type(key) for key in client.scan_iter()} == keys
        fields = client.hgetall("bmad_pf_memory:analyst:S-1")
        assert fields.keys() == {b"#seq", b"#life", b"k"}
        entry = json.loads(fields[b"k"])
        assert list(entry) == ["seq", "key", "value", "scope", "timestamp", "op", "category"]
        assert (entry["seq"], entry["value"], entry["op"]) == (1, {"é": [1]}, "set")
        stream = client.xrange("bmad_pf_history:analyst:S-1")
        assert [number for number, _ in stream] == [b"1-0", b"2-0", b"3-0"]
        assert stream[0][1][b"entry"] == fields[b"k"]


@pytest.mark.parametrize(
    ("policy", "may_ask", "told"),
    [("volatile-lru", True, 1), ("noeviction", True, 0), ("allkeys-lru", False, 0)],
)
def test_a_server_that_throws_away_is_told_once(
    server: RedisServer,
    caplog: pytest.LogCaptureFixture,
    policy: str,
    may_ask: bool,
    told: int,
) -> None:
    async def use(store: RedisMemory) -> None:
        for _ in range(3):
            await store.check()

    rights = ["~*", "+@write", "+@read", "+@scripting", "+@connection"]
    with server.client() as client:
        client.config_set("maxmemory-policy", policy)
        client.execute_command(
            "ACL", "SETUSER", "ops", "reset", "on", ">pw", *rights, *["+info"] * may_ask
        )
        url = server.url.replace("redis://", "redis://ops:pw@")
        try:
            using(RedisSettings.model_validate({"url": url}), use)
        finally:
            client.config_set("maxmemory-policy", "noeviction")
            client.execute_command("ACL", "DELUSER", "ops")
    assert len(caplog.messages) == told
    assert all(policy in message and "pw" not in message for message in caplog.messages)


@pytest.mark.parametrize("seq", ["x", "", "1.5"])
def test_a_number_that_is_none_is_told_and_given_to_nobody(server: RedisServer, seq: str) -> None:
    async def use(store: RedisMemory) -> None:
        await store.put(SCOPE, "k", 1)
        with server.client() as client:
            key = f"{server.settings().key_prefix}memory:{SCOPE}"
            client.hset(key, "#seq", seq)
            before = client.hgetall(key)
            for call in (
                store.put(SCOPE, "k", 2),
                store.delete(SCOPE, "k"),
                store.entries(SCOPE),
                store.dump(SCOPE),
                store.state(SCOPE),
                store.marks("analyst:"),
            ):
                with pytest.raises(StoreError, match=r"#seq of .* is no number") as caught:
                    await call
                assert caught.value.status == 500
            assert client.hgetall(key) == before
            client.hset(key, "#seq", 1)
        assert (await store.put(SCOPE, "k", 2)).seq == 2

    using(server.settings(), use)


def test_what_is_asked_in_the_same_moment_is_one_pipeline(server: RedisServer) -> None:
    async def use(store: RedisMemory) -> None:
        await store.put(SCOPE, "k", 0)
        before = reads(server)
        calls = [store.put(f"a:S-{n}", "k", n) for n in range(50)]
        await asyncio.gather(*calls, *(store.get(SCOPE, "k") for _ in range(50)))
        assert reads(server) - before < 10
        assert connections(server) == 1

    using(server.settings(), use)


def test_a_group_looks_at_all_its_memories_at_once(server: RedisServer) -> None:
    """Fifty agents, each with a memory of its own: two looks, and not fifty."""
    counted: list[int] = []

    async def use(store: RedisMemory) -> None:
        group = ParallelGroup(*(agent(f"a{n}")() for n in range(50)))
        services = Services(Scripted(), memory=store)
        context = FlowContext("an idea", story_id="S-1", services=services)
        await store.check()
        before = reads(server)
        await group.prep_async(context)
        counted.append(reads(server) - before)
        assert len(context.memory_at_start) == 50

    using(server.settings(), use)
    assert counted[0] < 15


def test_what_fits_is_found_whatever_happens_in_redis(server: RedisServer, tmp_path: Path) -> None:
    """The index follows other processes, a restore, an eviction, and a history that was cut."""

    async def use(store: RedisMemory) -> None:
        other, recall = RedisMemory(server.settings()), Recall(store, tmp_path / "index")

        async def found() -> list[str]:
            return [each.entry.key for each in await recall.find([SCOPE], "fox", limit=9)]

        with server.client() as client:
            await other.put(SCOPE, "a", "a fox")
            assert await found() == ["a"]
            _, kept = await other.dump(SCOPE)
            await other.put(SCOPE, "b", "a fox")
            await other.put(SCOPE, "a", "a whale")
            assert await found() == ["b"]
            await other.load(SCOPE, kept)
            await other.put(SCOPE, "c", "a fox")
            await other.put(SCOPE, "d", "a whale")
            assert sorted(await found()) == ["a", "c"]
            client.delete(f"bmad_pf_memory:{SCOPE}")
            await other.put(SCOPE, "e", "a fox")
            assert await found() == ["e"]
            client.delete(f"bmad_pf_history:{SCOPE}")
            await other.put(SCOPE, "f", "a fox")
            assert sorted(await found()) == ["e", "f"]
            client.flushall()
            assert await found() == []
            before = reads(server)
            await other.put(SCOPE, "g", "a fox")
            assert await found() == ["g"]
            assert await found() == ["g"]
            assert reads(server) - before < 30
        await recall.close()
        await other.close()

    using(server.settings(), use)


def test_connections_are_bounded(server: RedisServer) -> None:
    async def use(store: RedisMemory) -> None:
        async def visit(number: int) -> None:
            for turn in range(5):
                await store.put(SCOPE, f"k{number}", turn)
                for _ in range(number % 3):
                    await asyncio.sleep(0)

        await asyncio.gather(*(visit(number) for number in range(300)))
        assert connections(server) <= 2
        with server.client() as client:
            seen = client.info("stats")["total_connections_received"]
            # More than pipelines can be under way; they wait, and nobody is refused.
            big = ["x" * 900_000 for _ in range(12)]
            await asyncio.gather(*(store.put(SCOPE, f"b{n}", text) for n, text in enumerate(big)))
            assert client.info("stats")["total_connections_received"] - seen <= 5
        assert connections(server) <= 2

    using(server.settings(pool_size=2, max_connections=5), use)


def test_a_connection_that_the_server_has_closed_is_not_used(server: RedisServer) -> None:
    async def use(store: RedisMemory) -> None:
        for number in range(3):
            assert (await store.put(SCOPE, "k", number)).seq == number + 1
            with server.client() as client:
                for each in client.client_list():
                    if each["name"] == "bmad2pf":
                        client.client_kill_filter(_id=each["id"])

    using(server.settings(), use)


def test_a_closed_store_asks_nobody(server: RedisServer) -> None:
    async def use(store: RedisMemory) -> None:
        waiting = [asyncio.ensure_future(store.put(SCOPE, f"k{n}", n)) for n in range(300)]
        await asyncio.sleep(0)
        await store.close()
        for error in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(error, StoreUnavailable)
        with pytest.raises(StoreUnavailable, match="the store is closed"):
            await store.check()
        await store.close()

    using(server.settings(), use)
    assert connections(server) == 0


def test_a_database_and_a_password_of_the_url(server: RedisServer) -> None:
    with server.client() as client:
        client.acl_setuser(
            "me",
            enabled=True,
            passwords=["+a/b:c@d"],
            keys=["bmad_pf_*"],  # these rights are those that the guide names
            categories=["+@read", "+@write", "+@scripting", "+@connection"],
        )
    url = f"redis://me:a%2Fb%3Ac%40d@127.0.0.1:{server.port}/5"

    async def use(store: RedisMemory) -> None:
        assert (await store.put(SCOPE, "k", 1)).seq == 1
        assert await store.delete(SCOPE, "k")
        assert await store.scopes() == [SCOPE]
        await store.load(SCOPE, (await store.dump(SCOPE))[1])
        await store.check()

    using(server.settings(url=url), use)
    with server.client() as client:
        assert client.info("keyspace").keys() == {"db5"}

    async def elsewhere(store: RedisMemory) -> None:
        with pytest.raises(StoreUnavailable, match="does not let this user"):
            await store.put(SCOPE, "k", 1)

    using(server.settings(url=url, key_prefix="another_"), elsewhere)


def test_a_socket_in_the_file_system(server: RedisServer, tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.mktemp("s")
    with redis_server(folder, "--unixsocket", str(folder / "s.sock")) as other:

        async def use(store: RedisMemory) -> None:
            assert (await store.put(SCOPE, "k", 1)).seq == 1

        using(other.settings(url=f"unix://{folder / 's.sock'}?db=2"), use)
