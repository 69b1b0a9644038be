"""Redis as it should not be, and what is wrong with how a store of memory takes that."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from scripts.runtime.errors import StoreError
from scripts.runtime.settings import RedisSettings
from scripts.runtime.stores.protocol import Entry, MemoryStore
from scripts.runtime.stores.redislink import SECONDS
from tests.process import free_port
from tests.redis_server import RedisServer, redis_server

SCOPE: Final = "shared:all"
SECRET: Final = "canary-5e1d"
PATIENT: Final = 30.0  # seconds: a busy machine is no fault of the store's


class Trial(NamedTuple):
    """The store that `make(settings, seconds=…)` opens, on servers whose files lie in `folder`.

    `within` are the seconds after which a question counts as never answered.
    """

    make: Callable[..., MemoryStore]
    folder: Path
    within: float

    @contextlib.asynccontextmanager
    async def opened(
        self, settings: RedisSettings, seconds: float = PATIENT
    ) -> AsyncIterator[MemoryStore]:
        """A store that waits so long for an answer; closed at the end of the block."""
        store = self.make(settings, seconds=seconds)
        try:
            yield store
        finally:
            await store.close()

    async def answer(self, ask: Awaitable[Any]) -> Any:
        """What comes of a question: the answer, or the fault."""
        try:
            async with asyncio.timeout(self.within):
                return await ask
        except Exception as fault:  # noqa: BLE001 - which it is, is what is looked at
            return fault

    async def refused(
        self, store: MemoryStore, names: Iterable[str], says: str, status: int = 503
    ) -> list[str]:
        """Which of these questions are not refused by that message ("": by any), and how."""
        asked = {name: QUESTIONS[name](store) for name in names}
        given = await asyncio.gather(*map(self.answer, asked.values()))
        judged = {
            name: unlike(answer, says, status) for name, answer in zip(asked, given, strict=True)
        }
        return [f"{name}: {fault}" for name, fault in judged.items() if fault]

    async def answered(self, ask: Awaitable[Any], wanted: Any) -> list[str]:
        """What came instead of `wanted`, if anything did."""
        given = await self.answer(ask)
        return [] if given == wanted else [f"{given!r:.200} instead of {wanted!r:.200}"]

    async def works(self, store: MemoryStore, seq: int) -> list[str]:
        """What is wrong with a write that gets the number `seq`, and with reading it."""
        entry = await self.answer(store.put(SCOPE, "k", "later"))
        if not isinstance(entry, Entry) or entry.seq != seq:
            return [f"{entry!r:.200} is not the write {seq}"]
        return await self.answered(store.get(SCOPE, "k"), entry)

    async def goes_on(self, store: MemoryStore) -> list[str]:
        """What is wrong where writes do not succeed again, be it after some that come too early."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.within):
                entry = await self._patiently(lambda: store.put(SCOPE, "k", 1))
                found = await self._patiently(lambda: store.get(SCOPE, "k"))
                return [] if found == entry else [f"{found!r:.200} instead of {entry!r:.200}"]
        return ["it does not go on"]

    async def _patiently(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        while isinstance(given := await self.answer(ask()), StoreError):
            await asyncio.sleep(0)
        return given


_ENTRY = Entry("k", 1, SCOPE, "2026-01-01T00:00:00.000Z", 1)
QUESTIONS: Final[Mapping[str, Callable[[MemoryStore], Awaitable[Any]]]] = {
    "get": lambda store: store.get(SCOPE, "k"),
    "entries": lambda store: store.entries(SCOPE),
    "history": lambda store: store.history(SCOPE, "k"),
    "put": lambda store: store.put(SCOPE, "k", 1),
    "delete": lambda store: store.delete(SCOPE, "k"),
    "scopes": lambda store: store.scopes(),
    "dump": lambda store: store.dump(SCOPE),
    "load": lambda store: store.load(SCOPE, [_ENTRY]),
    "check": lambda store: store.check(),
}


def unlike(given: Any, says: str, status: int) -> str:
    """How an answer is not the refusal that it should be; empty when it is."""
    if not isinstance(given, StoreError):
        return f"{type(given).__name__}: {given!s:.200}"
    code = "store_unavailable" if status == 503 else "store_failed"
    if (given.status, given.code) != (status, code) or (says and given.message != says):
        return f"{given.status} {given.code}: {given.message}"
    if given.retryable != (status == 503):
        return f"retryable is {given.retryable}"
    return "a secret" if SECRET in "".join(traceback.format_exception(given)) else ""


def url_of(port: int, user: str = f"me:{SECRET}@") -> RedisSettings:
    return RedisSettings.model_validate({"url": f"redis://{user}127.0.0.1:{port}/0"})


async def dead(trial: Trial) -> list[str]:
    """Nobody listens, with TLS and without."""
    told = []
    for scheme in ("redis", "rediss"):
        url = f"{scheme}://me:{SECRET}@localhost:{free_port()}/0"
        async with trial.opened(RedisSettings.model_validate({"url": url})) as store:
            told += await trial.refused(store, QUESTIONS, "Redis cannot be reached")
    return told


async def frozen(trial: Trial) -> list[str]:
    """Connections stay open, and nothing is answered; it goes on when it is let."""
    with redis_server(trial.folder) as server:
        async with trial.opened(server.settings(), SECONDS) as store:
            told = await trial.goes_on(store)
            server.freeze()
            late = "Redis did not answer within 2 seconds"
            told += await trial.refused(store, set(QUESTIONS) - {"put", "delete", "load"}, late)
            server.thaw()
            return told + await trial.goes_on(store)


async def empty(trial: Trial) -> list[str]:
    """It was killed and has started again without anything, scripts included."""
    with redis_server(trial.folder) as server:
        async with trial.opened(server.settings()) as store:
            told = await trial.works(store, 1) + await trial.works(store, 2)
            server.kill()
            server.start()
            told += await trial.answered(store.get(SCOPE, "k"), None)
            told += await trial.answered(store.entries(SCOPE), [])
            told += await trial.answered(store.delete(SCOPE, "k"), False)
            return told + await trial.works(store, 1)


async def full(trial: Trial) -> list[str]:
    """It has no memory left: what is there can be read, and it goes on when there is room."""
    with redis_server(trial.folder) as server, server.client() as client:
        async with trial.opened(server.settings()) as store:
            kept = await store.put(SCOPE, "before", 1)
            client.config_set("maxmemory", 1)
            says = "Redis has no memory left for more"
            told = await trial.refused(store, ("put", "check"), says, 507)
            told += await trial.answered(store.entries(SCOPE), [kept])
            told += await trial.answered(store.dump(SCOPE), (1, [kept]))
            client.config_set("maxmemory", 0)
            return told + await trial.works(store, 2)


async def replica(trial: Trial) -> list[str]:
    """It follows another, and can be read; until it is the master again."""
    with redis_server(trial.folder) as server, server.client() as client:
        async with trial.opened(server.settings()) as store:
            kept = await store.put(SCOPE, "before", 1)
            client.replicaof("127.0.0.1", str(free_port()))
            says = "Redis is a replica that takes no writes"
            told = await trial.refused(store, ("put", "check"), says)
            told += await trial.answered(store.entries(SCOPE), [kept])
            client.replicaof("NO", "ONE")
            return told + await trial.works(store, 2)


async def loading(trial: Trial) -> list[str]:
    """It reads a file that is large for it."""
    with redis_server(trial.folder) as server, server.client() as client:
        client.mset({f"key{number}": "x" * 100 for number in range(3000)})
        client.save()
        server.kill()
    options = ("--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024")
    slow = RedisServer(trial.folder, options)
    try:
        slow.start()
        async with trial.opened(slow.settings()) as store:
            return await trial.refused(store, QUESTIONS, "Redis is still loading its data")
    finally:
        slow.stop()


async def cluster(trial: Trial) -> list[str]:
    """One that has lost its slots, and one that takes writes of one key at a time."""
    writes = ("put", "delete", "check")
    options = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    with redis_server(trial.folder, *options) as server, server.client() as client:
        async with trial.opened(server.settings()) as store:
            told = await trial.refused(store, writes, "Redis is part of a cluster that is down")
        client.execute_command("CLUSTER ADDSLOTSRANGE 0 16383")  # type: ignore[no-untyped-call]
        while client.cluster("INFO")["cluster_state"] != "ok":
            await asyncio.sleep(0.001)
        async with trial.opened(server.settings()) as store:
            says = "Redis is part of a cluster, which is not supported"
            return told + await trial.refused(store, writes, says)


async def locked(trial: Trial) -> list[str]:
    """It wants a password, and gets a wrong one, none, and the right one."""
    with redis_server(trial.folder, "--requirepass", "another") as server:
        async with trial.opened(url_of(server.port)) as store:
            says = "Redis refuses the user name or the password"
            told = await trial.refused(store, QUESTIONS, says)
        async with trial.opened(url_of(server.port, "")) as store:
            told += await trial.refused(store, QUESTIONS, "Redis wants a password")
        async with trial.opened(url_of(server.port, ":another@")) as store:
            return told + await trial.works(store, 1)


_GARBAGE = (
    f"-ERR unknown command 'AUTH', with args beginning with: '{SECRET}'\r\n",
    f"-{SECRET.upper()} {SECRET}\r\n",
    f"HTTP/1.1 400 Bad Request {SECRET}\r\n\r\n",
    f"+{SECRET}\r\n",
)


async def garbage(trial: Trial) -> list[str]:
    """It is no Redis, and repeats what it gets."""
    told = []
    for text in _GARBAGE:

        async def serve(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: str = text
        ) -> None:
            await reader.read(1 << 16)
            writer.write(text.encode())
            with contextlib.suppress(OSError):
                await writer.drain()
            writer.close()

        port = free_port()
        async with (
            await asyncio.start_server(serve, "127.0.0.1", port),
            trial.opened(url_of(port)) as store,
        ):
            told += await trial.refused(store, QUESTIONS, "")
    return told


STATES: Final = {
    state.__name__: state
    for state in (dead, frozen, empty, full, replica, loading, cluster, locked, garbage)
}


class _Heard(logging.Handler):
    """All that is logged, with tracebacks."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.text += self.format(record)


@contextlib.contextmanager
def _heard() -> Iterator[_Heard]:
    logger, heard = logging.getLogger("scripts"), _Heard()
    before = logger.level
    logger.addHandler(heard)
    logger.setLevel(logging.DEBUG)
    try:
        yield heard
    finally:
        logger.removeHandler(heard)
        logger.setLevel(before)


def faults(state: Callable[[Trial], Awaitable[list[str]]], trial: Trial) -> list[str]:
    """What is wrong with how the store on trial takes a state of Redis."""

    async def judged() -> list[str]:
        return await state(trial)

    with _heard() as heard:
        told = asyncio.run(judged())
    return [*told, "a secret in the log"] if SECRET in heard.text else told
