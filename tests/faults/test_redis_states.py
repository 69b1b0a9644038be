"""Memory in Redis that is dead, frozen, empty, full, a replica, loading, a cluster, locked, none.

Each question is answered or refused in clear words, and no secret is in them; each state is
tried with stores that are wrong on purpose as well.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from scripts.runtime.errors import StoreError, StoreUnavailable
from scripts.runtime.settings import RedisSettings
from scripts.runtime.stores import redislink
from scripts.runtime.stores.protocol import Entry, MemoryStore
from scripts.runtime.stores.redismemory import RedisMemory
from tests.faults.redis_states import STATES, Trial, faults
from tests.faults.rounds import ROUNDS

GUARD = 60.0 * ROUNDS  # seconds until a wait counts as endless
SOON = 1.0  # the same for a store that waits for ever


@pytest.mark.parametrize("state", STATES)
def test_what_cannot_be_done_is_refused_in_clear_words(tmp_path: Path, state: str) -> None:
    assert faults(STATES[state], Trial(RedisMemory, tmp_path, GUARD)) == []


class Plain:
    """Planted: redis-py's own client, its faults passed on, its waits without an end."""

    backend = "plain"

    def __init__(self, settings: RedisSettings, *, seconds: float) -> None:
        self._client = Redis.from_url(settings.url.get_secret_value(), socket_timeout=None)

    async def put(self, scope: str, key: str, value: Any, *, category: str | None = None) -> Entry:
        seq = await self._client.hincrby("numbers", scope)
        fields = (key, value, scope, "2026-01-01T00:00:00.000Z", seq, "set", category)
        await self._client.hset(scope, key, json.dumps(fields))
        return Entry(*fields)

    async def get(self, scope: str, key: str) -> Entry | None:
        found = await self._client.hget(scope, key)
        return None if found is None else Entry(*json.loads(found))

    async def entries(self, scope: str) -> list[Entry]:
        found = await self._client.hvals(scope)
        return [Entry(*json.loads(text)) for text in found]

    async def history(self, scope: str, key: str) -> list[Entry]:
        return [entry for entry in await self.entries(scope) if entry.key == key]

    async def delete(self, scope: str, key: str) -> bool:
        return bool(await self._client.hdel(scope, key))

    async def scopes(self) -> list[str]:
        return list(map(str, await self._client.keys()))

    async def dump(self, scope: str) -> tuple[int, list[Entry]]:
        entries = await self.entries(scope)
        return max((entry.seq for entry in entries), default=0), entries

    async def load(self, scope: str, entries: Sequence[Entry]) -> None:
        for entry in entries:
            await self.put(scope, entry.key, entry.value)

    async def check(self) -> None:
        await self._client.ping()

    async def close(self) -> None:
        await self._client.aclose()


class Careless(RedisMemory):
    """Planted: what cannot be done counts as done."""

    async def put(self, scope: str, key: str, value: Any, *, category: str | None = None) -> Entry:
        try:
            return await super().put(scope, key, value, category=category)
        except StoreError:
            return Entry(key, value, scope, "2026-01-01T00:00:00.000Z", 1)


class Remembering(RedisMemory):
    """Planted: what it has read once it does not ask for again."""

    async def get(self, scope: str, key: str) -> Entry | None:
        known: dict[str, Entry | None] = self.__dict__.setdefault("known", {})
        if key not in known:
            known[key] = await super().get(scope, key)
        return known[key]


def impatient(settings: RedisSettings, *, seconds: float) -> RedisMemory:
    return RedisMemory(settings, seconds=0.3)


def telling(settings: RedisSettings, *, seconds: float) -> MemoryStore:
    """Planted: the log says where the server is as the settings have it."""
    store = RedisMemory(settings, seconds=seconds)
    store._link.address = settings.url.get_secret_value()
    return store


LOST = "put: Entry: Entry(key='k', value=1"  # an answer to a write that was not done
FOUND: list[tuple[Callable[..., Any], str, str]] = [
    (Plain, "dead", "put: ConnectionError"),
    (Plain, "frozen", "get: TimeoutError"),
    (Plain, "full", "put: OutOfMemoryError"),
    (Plain, "replica", "put: ReadOnlyError"),
    (Plain, "loading", "put: BusyLoadingError"),
    (Plain, "cluster", "put: ClusterDownError"),
    (Plain, "locked", "put: AuthenticationError"),
    (Plain, "garbage", "put: InvalidResponse"),
    *((Careless, state, LOST) for state in ("dead", "full", "replica", "loading", "cluster")),
    *((Careless, state, LOST) for state in ("locked", "garbage")),
    (Remembering, "empty", "instead of None"),
    (Remembering, "frozen", "get: Entry: "),
    (telling, "dead", "a secret in the log"),
    (telling, "locked", "a secret in the log"),
    (telling, "garbage", "a secret in the log"),
]


@pytest.mark.parametrize(("make", "state", "told"), FOUND)
def test_a_store_that_is_wrong_is_found_out(
    tmp_path: Path, make: Callable[..., MemoryStore], state: str, told: str
) -> None:
    within = SOON if (make, state) == (Plain, "frozen") else GUARD
    assert told in "\n".join(faults(STATES[state], Trial(make, tmp_path, within)))


def test_one_that_says_what_the_server_says_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(error: BaseException) -> StoreError:
        return StoreUnavailable(f"Redis: {error}", store="memory")

    monkeypatch.setattr(redislink, "fault", fault)
    assert "put: a secret" in faults(STATES["garbage"], Trial(RedisMemory, tmp_path, GUARD))


def test_one_that_knows_scripts_by_name_only_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that was started anew has no scripts; planted: that is not thought of again."""
    packed = redislink.Call.packed
    loaded: set[str] = set()

    def by_name(call: redislink.Call) -> bytes:
        if call.script is not None and call.full:
            call.full = call.script.sha not in loaded
            loaded.add(call.script.sha)
        return packed(call)

    monkeypatch.setattr(redislink.Call, "packed", by_name)
    told = faults(STATES["empty"], Trial(impatient, tmp_path, GUARD))
    assert "Redis did not answer within 0.3 seconds" in "".join(told)


def test_the_settings_do_not_show_the_password() -> None:
    settings = RedisSettings.model_validate({"url": "redis://:canary-5e1d@localhost/0"})
    assert "canary" not in repr(settings)


def test_a_wait_that_never_ends_is_found_out(tmp_path: Path) -> None:
    """Planted: a store whose deadline does not hold for one of the questions."""

    class Endless(RedisMemory):
        async def get(self, scope: str, key: str) -> Entry | None:
            await asyncio.Event().wait()
            return None

    told = faults(STATES["dead"], Trial(Endless, tmp_path, SOON))
    assert "get: TimeoutError: " in told
