"""Waiting: within a time, for a place, together; free of cost where nobody waits."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
from types import CoroutineType
from typing import Any, TypeVar, cast

from .deadline import deadline

T = TypeVar("T")


async def within(
    seconds: float, call: Awaitable[T], late: Callable[[], Exception] = TimeoutError
) -> T:
    """The call's result. Raises what `late` makes when it takes longer, or says so itself.

    The call is begun before the clock is wound up: one that answers without
    waiting needs no timer.
    """
    steps: Any = call if isinstance(call, CoroutineType) else call.__await__()
    try:
        first = steps.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    except TimeoutError:
        raise late() from None
    limit = deadline(seconds)
    try:
        value = await _Rest(steps, first)
    except BaseException as error:
        is_ours = limit.stop()
        if isinstance(error, TimeoutError) or (
            is_ours and isinstance(error, asyncio.CancelledError)
        ):
            raise late() from None
        raise
    limit.stop()
    return value


async def together(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results in order, of all calls at once. The first failure ends them all.

    They are begun one after the other; only from the first that waits on does each need a task.
    """
    found: list[T] = []
    left = deque(calls)
    try:
        while left:
            call = left.popleft()
            try:
                first = call.send(None)
            except StopIteration as done:
                found.append(done.value)
            else:
                return [*found, *await _beside(_Rest(cast(Any, call), first), left)]
        return found
    finally:
        while left:
            left.popleft().close()


async def _beside(rest: Awaitable[T], calls: deque[Coroutine[Any, Any, T]]) -> list[T]:
    """The result of what was begun in this task, and of those that get one of their own."""
    tasks = []
    while calls:
        tasks.append(asyncio.create_task(calls.popleft()))
    try:
        return [await rest, *await asyncio.gather(*tasks)]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Rest(Awaitable[T]):
    """An awaitable that was begun already, and what it waits for now."""

    __slots__ = ("_first", "_steps")

    def __init__(self, steps: Generator[Any, Any, T], first: Any) -> None:
        self._steps = steps
        self._first = first

    def __await__(self) -> Generator[Any, Any, T]:
        waiting = self._first
        while True:
            try:
                try:
                    value = yield waiting
                except BaseException as error:  # noqa: BLE001 - handed on, as `yield from` does
                    waiting = self._steps.throw(error)
                else:
                    waiting = self._steps.send(value)
            except StopIteration as done:
                result: T = done.value
                return result


class Places:
    """So many at once; who comes later waits, the first first. For one event loop."""

    __slots__ = ("_free", "_waiting")

    def __init__(self, number: int) -> None:
        self._free = number
        self._waiting: deque[asyncio.Future[None]] = deque()

    def take_now(self) -> bool:
        """A place, if one is free and nobody waits for it."""
        if self._free > 0 and not self._waiting:
            self._free -= 1
            return True
        return False

    async def take(self) -> float:
        """A place, when one is free. Returns how many seconds that took."""
        if self.take_now():
            return 0.0
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        began = time.monotonic()
        try:
            await future
        except asyncio.CancelledError:
            if not future.cancelled():
                self.give()  # it was ours already
            elif future in self._waiting:
                self._waiting.remove(future)
            raise
        return time.monotonic() - began

    def give(self) -> None:
        """Leave a place to the next."""
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
                return
        self._free += 1


def answer(future: asyncio.Future[None], error: BaseException | None) -> None:
    """Let one who waits go on, or fail; whose task was cancelled meanwhile needs no answer."""
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
