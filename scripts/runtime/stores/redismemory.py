"""Memory in Redis: a hash a scope for the newest values, a stream for its history.

Any number of processes on any number of hosts may share it. How long an acknowledged write is
kept is up to the server: its persistence, its eviction policy, and the time to live.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from contextlib import aclosing
from functools import lru_cache
from typing import Any, Final

from ..clock import now
from ..errors import InvalidName, StoreError
from ..settings import RedisSettings
from .names import check_category, check_key
from .protocol import Entry
from .record import BadLine, check_entry, encode_value
from .redisentry import body, parse, whole
from .redisfaults import damaged
from .rediskeys import LIFE_FIELD, SEQ_FIELD, Keys, Place
from .redislink import SECONDS, Arguments, Link
from .redisscripts import BUILD, PROBE, SWAP, WRITE

HISTORY: Final = 1000  # writes that a scope's stream keeps, as WRITE has it
PAGE: Final = 100  # entries that are read or built at once
PAGE_BYTES: Final = 1 << 20  # likewise
PIECE: Final = 500  # entries that are parsed without a pause
SCANNED: Final = 1000  # keys that the server looks at in one go
BUILD_SECONDS: Final = 60  # what a restore leaves behind when it dies half-way
PROBE_SECONDS: Final = 60
KNOWN_SCOPES: Final = 4096
MAX_SEQ: Final = 2**53  # numbers of scripts are exact up to here

_POLICY: Final = re.compile(rb"^maxmemory_policy:([a-z-]+)", re.MULTILINE)
_log = logging.getLogger(__name__)


class RedisMemory:
    """The memory on one Redis server.

    All methods raise InvalidName for a scope, key or value that cannot be kept, and StoreError:
    413 for a value over 1 MB, 507 when the server has no memory left, 500 when someone has damaged
    the number of a scope's last write, StoreUnavailable (503) in every other case, after two
    seconds without an answer at the latest. `problems` counts by scope what was found in the place
    of an entry and is none; each is told in the log and passed over.
    """

    backend = "redis"

    def __init__(self, settings: RedisSettings, *, seconds: float = SECONDS) -> None:
        """Opens no connection yet; `seconds` bound the wait for each answer."""
        self._link = Link(
            settings.url.get_secret_value(),
            kept=settings.pool_size,
            most=settings.max_connections,
            seconds=seconds,
        )
        self._keys = Keys(settings.key_prefix)
        self._place = lru_cache(KNOWN_SCOPES)(self._keys.of)
        self._ttl = settings.ttl or 0
        self._looked = False
        self.problems: dict[str, int] = {}

    @property
    def address(self) -> str:
        """Where the server is, without user and password."""
        return self._link.address

    async def get(self, scope: str, key: str) -> Entry | None:
        """The newest value of a key."""
        place = self._place(scope)
        found = await self._link.ask(("HGET", place.memory, check_key(key)))
        return None if found is None else self._entry(found, scope, key)

    async def entries(self, scope: str) -> list[Entry]:
        """The newest value of each key, newest first."""
        return (await self._newest(scope))[1]

    async def history(self, scope: str, key: str) -> list[Entry]:
        """The kept writes of a key, oldest first, deletions included."""
        check_key(key)
        found = [entry async for entry in self._writes(scope, "+") if entry.key == key]
        return found[::-1]

    async def put(self, scope: str, key: str, value: Any, *, category: str | None = None) -> Entry:
        """Write a value: JSON data of at most 1 MB."""
        text = encode_value(value)
        place = self._place(scope)
        timestamp = now()
        entry = Entry(check_key(key), value, scope, timestamp, 0, "set", check_category(category))
        seq = await self._write(place, entry, text)
        return Entry(key, value, scope, timestamp, seq, "set", category)

    async def delete(self, scope: str, key: str) -> bool:
        """Forget a key; its history stays. False when there was nothing."""
        place = self._place(scope)
        entry = Entry(check_key(key), None, scope, now(), 0, "delete")
        return await self._write(place, entry, "null") > 0

    async def scopes(self) -> list[str]:
        """All scopes that hold anything, be it only a history; sorted."""
        found: set[str] = set()
        for pattern in self._keys.patterns:
            cursor = b"0"
            while True:
                cursor, keys = await self._link.ask(
                    ("SCAN", cursor, "MATCH", pattern, "COUNT", SCANNED)
                )
                names = (self._keys.scope(key.decode("utf-8", "replace")) for key in keys)
                found.update(name for name in names if name is not None)
                if cursor == b"0":
                    break
        return sorted(found)

    async def dump(self, scope: str) -> tuple[int, list[Entry]]:
        """The kept writes of a scope in the order of their numbers, as of the number returned.

        Those are the newest value of each key, and what the bounded history holds.
        """
        seq, newest = await self._newest(scope)
        found = {entry.seq: entry for entry in newest}
        # From the newest backwards: what is trimmed meanwhile is older than all that was read.
        async for entry in self._writes(scope, str(seq)):
            found[entry.seq] = entry
        return seq, [found[number] for number in sorted(found)]

    async def load(self, scope: str, entries: Sequence[Entry]) -> None:
        """Replace the scope by these writes, in one step at the end; they keep their numbers.

        The history gets the last 1,000 of them. Raises InvalidName for what cannot be kept.
        """
        place = self._place(scope)
        writes = _checked(scope, entries)
        last = writes[-1].seq if writes else 0
        suffix = secrets.token_hex(8)
        new = (f"{place.building}:memory:{suffix}", f"{place.building}:history:{suffix}")
        for page in _pages(_built(writes)):
            arguments: Arguments = (2, *new, last, BUILD_SECONDS, suffix, *page)
            await self._link.ask(arguments, script=BUILD, size=PAGE_BYTES)
        swap = (4, *new, place.memory, place.history, self._ttl, len(writes))
        await self._link.ask(swap, script=SWAP)

    async def state(self, scope: str) -> tuple[int, int]:
        """The `seq` of the newest write, and how many keys have a value."""
        memory = self._place(scope).memory
        length, seq = await asyncio.gather(
            self._link.ask(("HLEN", memory)), self._link.ask(("HGET", memory, SEQ_FIELD))
        )
        return _number(seq, scope), max(length - 2, 0)

    async def newer(self, scope: str, after: int) -> AsyncIterator[list[Entry]]:
        """The values that were written after that `seq` and are the newest, oldest first."""
        found = await self._changed(scope, after) if after else None
        if found is None:  # the history does not reach back so far
            found = [entry for entry in (await self._newest(scope))[1] if entry.seq > after]
        found.reverse()
        for start in range(0, len(found), PAGE):
            yield found[start : start + PAGE]

    async def keys(self, scope: str) -> list[str]:
        """The keys that have a value."""
        fields = await self._link.ask(("HKEYS", self._place(scope).memory))
        return [field.decode() for field in fields if field not in (SEQ_FIELD, LIFE_FIELD)]

    async def marks(self, name: str) -> dict[str, str]:
        """The hash that there is now, and its last write: of a scope, or of all `{agent_id}:`."""
        scopes = [name]
        if name.endswith(":"):
            scopes = [scope for scope in await self.scopes() if scope.startswith(name)]
        asked = (
            self._link.ask(("HMGET", self._place(scope).memory, LIFE_FIELD, SEQ_FIELD))
            for scope in scopes
        )
        answers = zip(scopes, await asyncio.gather(*asked), strict=True)
        return {
            scope: f"{life.hex()} {_number(seq, scope)}"
            for scope, (life, seq) in answers
            if life and seq is not None
        }

    async def check(self) -> None:
        """Whether the server takes writes now. Raises StoreError."""
        await self._link.ask((2, *self._keys.probes, PROBE_SECONDS), script=PROBE)
        if not self._looked:
            self._looked = True
            await self._tell_of_eviction()

    async def _tell_of_eviction(self) -> None:
        """Once: nothing else tells that a full server forgets what was acknowledged."""
        try:
            told = await self._link.ask(("INFO", "memory"))
        except StoreError:
            return  # a user that may not ask is what the guide recommends
        policy = _POLICY.search(told)
        if policy is not None and policy[1] != b"noeviction":
            _log.warning(
                "memory at %s: when the server is full it throws away what was acknowledged: "
                "its maxmemory-policy is %s, and noeviction is what keeps it",
                self.address,
                policy[1].decode("ascii"),
            )

    async def close(self) -> None:
        """Give back all connections."""
        await self._link.close()

    async def _write(self, place: Place, entry: Entry, text: str) -> int:
        rest = body(entry, text)
        token = secrets.token_bytes(8)
        arguments = (2, place.memory, place.history, entry.key, rest, entry.op, self._ttl, token)
        seq: int = await self._link.ask(arguments, script=WRITE, size=len(rest))
        return seq

    async def _newest(self, scope: str) -> tuple[int, list[Entry]]:
        """The number of the last write, and the newest value of each key, newest first."""
        answer = await self._link.ask(("HGETALL", self._place(scope).memory))
        self.problems.pop(scope, None)
        fields = dict(zip(answer[::2], answer[1::2], strict=True))
        fields.pop(LIFE_FIELD, None)
        seq = _number(fields.pop(SEQ_FIELD, None), scope)
        entries = []
        for number, (key, data) in enumerate(fields.items(), 1):
            entry = self._entry(data, scope, key.decode("utf-8", "replace"))
            if entry is not None:
                entries.append(entry)
            if number % PIECE == 0:
                await asyncio.sleep(0)  # others are served in between
        entries.sort(key=lambda entry: entry.seq, reverse=True)
        return seq, entries

    async def _writes(self, scope: str, newest: str) -> AsyncGenerator[Entry, None]:
        """The history from the number `newest` (`+`: the last one) backwards."""
        place = self._place(scope)
        start = newest
        while True:
            page = await self._link.ask(
                ("XREVRANGE", place.history, start, "-", "COUNT", PAGE), size=PAGE_BYTES
            )
            for _, fields in page:
                entry = self._entry(fields[1], scope, None)
                if entry is not None:
                    yield entry
            if len(page) < PAGE:
                return
            start = f"({page[-1][0].decode('ascii')}"

    async def _changed(self, scope: str, after: int) -> list[Entry] | None:
        """The same from the history, newest first; None when it has lost some of them."""
        newest: dict[str, Entry] = {}
        async with aclosing(self._writes(scope, "+")) as writes:
            async for entry in writes:
                if entry.seq <= after:
                    return [found for found in newest.values() if found.op == "set"]
                newest.setdefault(entry.key, entry)
        return None

    def _entry(self, data: bytes, scope: str, key: str | None) -> Entry | None:
        try:
            entry = parse(data, scope)
            if key is not None and entry.key != key:
                raise BadLine("it belongs to another key")
        except BadLine as reason:
            self.problems[scope] = self.problems.get(scope, 0) + 1
            _log.warning("an entry of %s in Redis is skipped: %s", scope, reason)
            return None
        return entry


def _number(data: bytes | None, scope: str) -> int:
    """The number of the last write, 0 for none. Raises StoreError."""
    if data is None:
        return 0
    if not data.isdigit():
        raise damaged(scope)
    return int(data)


def _checked(scope: str, entries: Sequence[Entry]) -> Sequence[Entry]:
    seq = 0
    for entry in entries:
        check_key(entry.key)
        check_entry(entry, scope)
        if not seq < entry.seq <= MAX_SEQ:
            raise InvalidName("entries", "should be writes of this scope, by seq")
        seq = entry.seq
    return entries


def _built(writes: Sequence[Entry]) -> Iterator[tuple[str, str, str]]:
    """Key, number and text of each write, as BUILD takes them."""
    newest = {entry.key: entry.seq for entry in writes}
    oldest_kept = len(writes) - HISTORY
    for place, entry in enumerate(writes):
        is_newest = entry.op == "set" and newest[entry.key] == entry.seq
        number = str(entry.seq) if place >= oldest_kept else ""
        if is_newest or number:
            text = whole(entry, encode_value(entry.value))
            yield entry.key if is_newest else "", number, text


def _pages(writes: Iterable[tuple[str, str, str]]) -> Iterator[list[str]]:
    """The same, flat, in pieces that travel well."""
    page: list[str] = []
    size = 0
    for write in writes:
        page += write
        size += len(write[2])
        if len(page) >= 3 * PAGE or size >= PAGE_BYTES:
            yield page
            page, size = [], 0
    if page:
        yield page
