"""The way to one Redis server: what is asked in the same moment travels as one pipeline.

A pipeline belongs to the link, not to those who asked: a caller that is cancelled leaves its
answer behind, and no connection that has unread answers is used again. Nobody waits longer than
`seconds`, whatever the server does.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from hiredis import pack_command
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as Broken

from ..errors import StoreError
from ..redisurl import address
from .redisfaults import fault, reason_of, unreachable
from .redisscripts import Script

SECONDS: Final = 2.0  # the longest that a caller waits
MAX_CALLS: Final = 128  # of one pipeline
MAX_BYTES: Final = 1 << 20  # likewise, when there are several calls
PAUSES: Final = (0.0, 0.0, 0.1, 0.3)  # seconds before each attempt to deliver a pipeline

# What came of a call: it is over, it has to be sent in full, or the server has become a replica
# and whoever looks up its name anew may find another one.
_DONE: Final = 0
_UNKNOWN: Final = 1
_STALE: Final = 2

_log = logging.getLogger(__name__)

Arguments = tuple[str | bytes | int, ...]
# The stubs of hiredis know tuples of one argument only.
_packed: Final[Callable[[Arguments], bytes]] = pack_command  # type: ignore[assignment]


class Call:
    """One command and who waits for its answer."""

    __slots__ = ("again", "answer", "arguments", "full", "script")

    def __init__(
        self, arguments: Arguments, answer: asyncio.Future[Any], script: Script | None
    ) -> None:
        self.arguments = arguments
        self.answer = answer
        self.script = script
        self.again = False  # it may have been done before
        self.full = False  # the server does not know the script by its name

    def packed(self) -> bytes:
        """The command as it is sent: a script by its name, until the server does not know it."""
        if self.script is None:
            return _packed(self.arguments)
        name = ("EVAL", self.script.source) if self.full else ("EVALSHA", self.script.sha)
        return _packed((*name, *self.arguments, "1" if self.again else "0"))


class Batch:
    """Calls that travel together; `task` is there while they do."""

    __slots__ = ("calls", "size", "task", "timer")

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.size = 0
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None

    def has_room(self, size: int) -> bool:
        return len(self.calls) < MAX_CALLS and self.size + size <= MAX_BYTES

    def fail(self, make: Callable[[], StoreError]) -> None:
        """Tell everyone who still waits; each gets an error of its own."""
        for call in self.calls:
            if not call.answer.done():
                call.answer.set_exception(make())


class Link:
    """At most `kept` pipelines are under way at once, each on a connection that stays open.

    Only when whole pipelines wait, more connections are opened, `most` in all.
    """

    def __init__(self, url: str, *, kept: int, most: int, seconds: float = SECONDS) -> None:
        self.address = address(url)
        self._kept = kept
        self._most = most
        self._seconds = seconds
        # RESP2: no push messages, and one round trip less before the first question.
        self._pool = ConnectionPool.from_url(
            url,
            protocol=2,
            driver_info=None,
            client_name="bmad2pf",
            socket_timeout=None,  # one deadline for all, below
            socket_connect_timeout=None,
        )
        self._idle: list[AbstractConnection] = []
        self._waiting: deque[Batch] = deque()
        self._under_way: set[Batch] = set()
        self._closed = False
        self._down = False

    def ask(
        self, arguments: Arguments, *, script: Script | None = None, size: int = 0
    ) -> asyncio.Future[Any]:
        """The answer to a command, as redis-py reads it: bytes, int, list or None.

        `size` are the bytes of its large arguments. The future gets StoreError: 507 when there
        is no room, 503 for everything else. What may have been done is repeated only when that
        does no harm: a read, or a `script`, which then knows.
        """
        loop = asyncio.get_running_loop()
        call = Call(arguments, loop.create_future(), script)
        if self._closed:
            call.answer.set_exception(self._gone())
            return call.answer
        waiting = self._waiting
        if not waiting or not waiting[-1].has_room(size):
            batch = Batch()
            batch.timer = loop.call_later(self._seconds, self._expire, batch)
            waiting.append(batch)
            loop.call_soon(self._dispatch)  # once everyone of this moment has asked
        waiting[-1].calls.append(call)
        waiting[-1].size += size
        return call.answer

    async def close(self) -> None:
        """End what is under way, and give all connections back."""
        self._closed = True
        tasks = []
        for batch in (*self._waiting, *self._under_way):
            batch.fail(self._gone)
            if batch.timer is not None:
                batch.timer.cancel()
            if batch.task is not None:
                batch.task.cancel()
                tasks.append(batch.task)
        self._waiting.clear()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._drop_idle()

    def _gone(self) -> StoreError:
        return unreachable("is no longer asked: the store is closed")

    def _late(self) -> StoreError:
        return unreachable(f"did not answer within {self._seconds:g} seconds")

    def _odd(self) -> StoreError:
        return unreachable("could not be asked: the log says more")

    def _dispatch(self) -> None:
        waiting = self._waiting
        while waiting:
            full = len(waiting) > 1
            if len(self._under_way) >= (self._most if full else self._kept):
                return
            batch = waiting.popleft()
            self._under_way.add(batch)
            batch.task = asyncio.get_running_loop().create_task(self._carry(batch))

    def _expire(self, batch: Batch) -> None:
        batch.fail(self._late)
        self._report(self._late())
        if batch.task is not None:
            batch.task.cancel()
        else:
            self._waiting.remove(batch)

    def _report(self, error: StoreError | None, reason: str = "") -> None:
        """Tell the log when the server goes, and when it is back: once each."""
        if error is not None and not self._down:
            more = f" ({reason})" if reason else ""
            _log.warning("memory at %s: %s%s", self.address, error.message, more)
        elif error is None and self._down:
            _log.warning("memory at %s answers again", self.address)
        self._down = error is not None

    async def _carry(self, batch: Batch) -> None:
        try:
            await self._deliver(batch)
        except (RedisError, OSError) as error:
            reason = error
            batch.fail(lambda: fault(reason))
            self._report(fault(reason), reason_of(reason))
        except asyncio.CancelledError:
            await self._drop_idle()  # the others may be as dead as this one
            raise
        finally:
            batch.fail(self._odd)  # a fault that nobody thought of: asyncio tells of it
            if batch.timer is not None:
                batch.timer.cancel()
            self._under_way.discard(batch)
            self._dispatch()

    async def _deliver(self, batch: Batch) -> None:
        """Raises the last fault when all attempts have failed."""
        left = batch.calls
        fault_seen: Exception | None = None
        for pause in PAUSES:
            if fault_seen is not None:
                await asyncio.sleep(pause)
            try:
                while left:  # a second time for scripts that the server did not know
                    left = await self._exchange(left)
            except (AuthenticationError, BusyLoadingError):
                raise
            except (Broken, OSError) as error:
                fault_seen = error
                await self._drop_idle()
                left = [call for call in left if not call.answer.done()]
                for call in left:
                    call.again = True
            else:
                return
        if fault_seen is not None:
            raise fault_seen

    async def _exchange(self, calls: Sequence[Call]) -> list[Call]:
        """Ask, and hand the answers out; those that have to be asked in full are returned."""
        calls = [call for call in calls if not call.answer.done()]
        if not calls:
            return []
        connection = await self._connected()
        usable = False
        try:
            data = b"".join([call.packed() for call in calls])
            await connection.send_packed_command(data, check_health=False)
            outcomes = [await self._answer(call, connection) for call in calls]
            usable = _STALE not in outcomes and not self._closed
            if self._down:
                self._report(None)
        finally:
            if usable and len(self._idle) < self._kept:
                self._idle.append(connection)
            else:
                await connection.disconnect(nowait=True)
        return [call for call, outcome in zip(calls, outcomes, strict=True) if outcome == _UNKNOWN]

    async def _answer(self, call: Call, connection: AbstractConnection) -> int:
        try:
            found = await connection.read_response()
        except NoScriptError:
            call.full = True
            return _UNKNOWN
        except ResponseError as error:
            if not call.answer.done():
                call.answer.set_exception(fault(error))
            return _STALE if isinstance(error, ReadOnlyError) else _DONE
        if not call.answer.done():
            call.answer.set_result(found)
        return _DONE

    async def _connected(self) -> AbstractConnection:
        while self._idle:
            kept = self._idle.pop()
            if kept.is_connected and not await kept.can_read():
                return kept
            await kept.disconnect(nowait=True)  # the server has closed it
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection

    async def _drop_idle(self) -> None:
        while self._idle:
            await self._idle.pop().disconnect(nowait=True)
