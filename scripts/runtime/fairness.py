"""Waiting in turns: runs are served one after the other, however many members each has waiting."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")

Clock = Callable[[], float]


class Turns(Generic[T]):
    """Who waits for a `T`: round-robin between runs, in order within one. For one event loop.

    Each waiter says with a number how much it wants.
    """

    __slots__ = ("_runs", "waiting")

    def __init__(self) -> None:
        self._runs: OrderedDict[Hashable, OrderedDict[asyncio.Future[T], int]] = OrderedDict()
        self.waiting = 0

    def join(self, run: Hashable, wanted: int = 0) -> asyncio.Future[T]:
        """A place at the end of the run's row; the run itself comes after those that wait."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._runs.setdefault(run, OrderedDict())[future] = wanted
        self.waiting += 1
        return future

    def leave(self, run: Hashable, future: asyncio.Future[T]) -> None:
        """Wait no more. Does nothing for one who was served."""
        row = self._runs.get(run)
        if row is None or future not in row:
            return
        del row[future]
        self.waiting -= 1
        if not row:
            del self._runs[run]

    def wanted(self) -> int | None:
        """What the next one wants; None when nobody waits."""
        row = self._next()
        return None if row is None else next(iter(row.values()))

    def serve(self, what: T) -> bool:
        """Hand it to the next one. False when nobody waits."""
        row = self._next()
        if row is None:
            return False
        future, _ = row.popitem(last=False)
        self.waiting -= 1
        run = next(iter(self._runs))
        if row:
            self._runs.move_to_end(run)
        else:
            del self._runs[run]
        future.set_result(what)
        return True

    def _next(self) -> OrderedDict[asyncio.Future[T], int] | None:
        """The first run's row, its first waiter alive."""
        while self._runs:
            run, row = next(iter(self._runs.items()))
            while row:
                if not next(iter(row)).done():
                    return row
                row.popitem(last=False)  # cancelled just now, and not yet gone by itself
                self.waiting -= 1
            del self._runs[run]
        return None


class FairPlaces:
    """So many at once in the process. Who comes later waits for its run's turn.

    While r other runs wait, the first in a run's row is served after at most r others.
    """

    __slots__ = ("_clock", "_turns", "free")

    def __init__(self, number: int, clock: Clock = time.monotonic) -> None:
        """`free` are the places that nobody holds; nobody waits while there are any."""
        self.free = number
        self._turns: Turns[None] = Turns()
        self._clock = clock

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self._turns.waiting

    def take_now(self, run: Hashable) -> bool:
        """A place, if one is free."""
        if self.free:
            self.free -= 1
            return True
        return False

    async def take(self, run: Hashable) -> float:
        """A place, when it is the run's turn. Returns how many seconds that took."""
        if self.take_now(run):
            return 0.0
        began = self._clock()
        future = self._turns.join(run)
        try:
            await future
        except BaseException:
            if future.done() and not future.cancelled():
                self.give()  # it was ours already
            else:
                self._turns.leave(run, future)
            raise
        return self._clock() - began

    def give(self) -> None:
        """Leave a place to the next."""
        if not (self._turns.waiting and self._turns.serve(None)):
            self.free += 1
