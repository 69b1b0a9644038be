"""Bounds on waiting: a time limit and a number of places, both free of cost where nobody waits."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from types import CoroutineType
from typing import Any, TypeVar

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
    try:
        async with asyncio.timeout(seconds):
            return await _Rest(steps, first)
    except TimeoutError:
        raise late() from None


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
