"""A real redis-server that is killed, paused and restarted while two stores write to it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from scripts.runtime.clock import now
from scripts.runtime.errors import StoreError
from scripts.runtime.stores.protocol import Entry
from scripts.runtime.stores.redismemory import HISTORY, RedisMemory
from tests.faults.rounds import ROUNDS
from tests.redis_server import RedisServer, redis_server

KEEPS = ("--appendonly", "yes", "--appendfsync", "always")
SECONDS = 0.5  # that a store waits for an answer
WRITERS = 6
GUARD = 120.0 * ROUNDS  # seconds until a wait counts as endless


class Load:
    """Writers that go on until `over`; what was acknowledged, and how often was refused."""

    def __init__(self, stores: list[RedisMemory]) -> None:
        self.acknowledged: list[Entry] = []
        self.refused: Counter[int] = Counter()
        self._over = False
        self._writers = [
            asyncio.create_task(self._write(stores[number % len(stores)], f"a:S-{number}"))
            for number in range(WRITERS)
        ]

    async def _write(self, store: RedisMemory, scope: str) -> None:
        number = 0
        while not self._over:
            number += 1
            try:
                self.acknowledged.append(await store.put(scope, f"k{number % 3}", number))
            except StoreError as error:
                self.refused[error.status] += 1
                await asyncio.sleep(0.01)

    async def until_acknowledged(self, more: int) -> None:
        wanted = len(self.acknowledged) + more
        while len(self.acknowledged) < wanted:
            await asyncio.sleep(0.001)

    async def until_refused(self, more: int) -> None:
        wanted = self.refused.total() + more
        while self.refused.total() < wanted:
            await asyncio.sleep(0.001)

    async def end(self) -> None:
        self._over = True
        await asyncio.gather(*self._writers)


async def strike(server: RedisServer, how: str, load: Load) -> None:
    """Break the server until each writer has noticed, then bring it back."""
    if how == "restart":
        await asyncio.to_thread(server.restart)
        return
    await asyncio.to_thread(server.kill if how == "kill" else server.freeze)
    try:
        await load.until_refused(WRITERS)
    finally:
        await asyncio.to_thread(server.start if how == "kill" else server.thaw)


async def faults(store: RedisMemory, load: Load) -> list[str]:
    """What was acknowledged and is not as it was, of what the bounded history holds; doubles."""
    told = [] if set(load.refused) <= {503} else [f"refused with {set(load.refused)}"]
    for scope in {entry.scope for entry in load.acknowledged}:
        seq, entries = await store.dump(scope)
        there = {entry.seq: entry for entry in entries}
        mine = [entry for entry in load.acknowledged if entry.scope == scope]
        kept = [entry for entry in mine if entry.seq > seq - HISTORY]
        lost = [entry.value for entry in kept if there.get(entry.seq) != entry]
        values = Counter(entry.value for entry in entries)
        doubled = [value for value, number in values.items() if number > 1]
        ahead = [entry.value for entry in mine if entry.seq > seq]
        told += [f"{scope}: {len(lost)} lost"] * bool(lost)
        told += [f"{scope}: {len(doubled)} doubled"] * bool(doubled)
        told += [f"{scope}: {len(ahead)} are newer than the newest"] * bool(ahead)
    return told


async def campaign(server: RedisServer, how: str, rounds: int) -> list[str]:
    chance = random.Random(how)
    stores = [RedisMemory(server.settings(), seconds=SECONDS) for _ in range(2)]
    load = Load(stores)
    for _ in range(rounds):
        await load.until_acknowledged(chance.randint(30, 120))
        await strike(server, how, load)
    await load.until_acknowledged(30)
    await load.end()
    try:
        return await faults(stores[0], load)
    finally:
        for store in stores:
            await store.close()


def under_fire(server: RedisServer, how: str, rounds: int) -> list[str]:
    async def bounded() -> list[str]:
        async with asyncio.timeout(GUARD):
            return await campaign(server, how, rounds)

    return asyncio.run(bounded())


@pytest.mark.parametrize("how", ["kill", "pause", "restart"])
def test_nothing_acknowledged_is_lost_or_doubled(tmp_path: Path, how: str) -> None:
    with redis_server(tmp_path, *KEEPS) as server:
        assert under_fire(server, how, 3 * ROUNDS) == []


@pytest.mark.parametrize("how", ["kill", "restart"])
def test_a_server_that_forgets_is_found_out(tmp_path: Path, how: str) -> None:
    """The planted fault: it keeps nothing on the disk."""
    with redis_server(tmp_path) as server:
        assert any("lost" in fault for fault in under_fire(server, how, 1))


class _Deaf(RedisMemory):
    """The planted fault: it takes any answer, or none, for a yes."""

    async def put(self, scope: str, key: str, value: Any, *, category: str | None = None) -> Entry:
        try:
            return await super().put(scope, key, value, category=category)
        except StoreError:
            return Entry(key, value, scope, now(), 1)


@pytest.mark.parametrize("how", ["kill", "pause"])
def test_a_client_that_acknowledges_what_was_not_done_is_found_out(
    tmp_path: Path, how: str
) -> None:
    async def main(server: RedisServer) -> list[str]:
        stores = [_Deaf(server.settings(), seconds=SECONDS)]
        load = Load(stores)
        await load.until_acknowledged(60)
        await asyncio.to_thread(server.kill if how == "kill" else server.freeze)
        await load.until_acknowledged(2 * WRITERS)
        await asyncio.to_thread(server.start if how == "kill" else server.thaw)
        await load.until_acknowledged(30)
        await load.end()
        told = await faults(stores[0], load)
        await stores[0].close()
        return told

    with redis_server(tmp_path, *KEEPS) as server:
        assert any("lost" in fault for fault in asyncio.run(main(server)))
