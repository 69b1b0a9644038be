"""Time limits that cost little: all waits of the same length share one timer of the loop."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

Loop = asyncio.AbstractEventLoop


class Deadline:
    """When a task's wait is over. As in `asyncio.timeout`, the task is cancelled then."""

    __slots__ = ("_cancelling", "_expired", "_task", "_waiting", "when")

    def __init__(self, task: asyncio.Task[Any], waiting: Waiting, when: float) -> None:
        self.when = when
        self._task = task
        self._waiting = waiting
        self._cancelling = task.cancelling()
        self._expired = False

    def stop(self) -> bool:
        """The wait is over; whether it was this, and nobody else, that cancelled the task."""
        if not self._expired:
            del self._waiting.deadlines[self]
            return False
        return self._task.uncancel() <= self._cancelling

    def expire(self) -> None:
        """Cancel the task."""
        del self._waiting.deadlines[self]
        self._expired = True
        self._task.cancel()


class Waiting:
    """The waits of one loop that may last equally long, so that the oldest ends first.

    The timer stays when the wait that it was set for is over, and is set anew when it comes.
    """

    __slots__ = ("_is_set", "_seconds", "deadlines")

    def __init__(self, seconds: float) -> None:
        self.deadlines: dict[Deadline, None] = {}
        self._seconds = seconds
        self._is_set = False

    def begin(self, task: asyncio.Task[Any], loop: Loop) -> Deadline:
        when = loop.time() + self._seconds
        deadline = Deadline(task, self, when)
        self.deadlines[deadline] = None
        if not self._is_set:
            self._is_set = True
            loop.call_at(when, self._look, loop)
        return deadline

    def _look(self, loop: Loop) -> None:
        now = loop.time()
        for deadline in list(self.deadlines):
            if deadline.when > now:
                loop.call_at(deadline.when, self._look, loop)
                return
            deadline.expire()
        self._is_set = False


_loops: WeakKeyDictionary[Loop, dict[float, Waiting]] = WeakKeyDictionary()


def deadline(seconds: float) -> Deadline:
    """The present task has so many seconds from now; it is to be ended with `stop`."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task(loop)
    if task is None:
        raise RuntimeError("only a task can have a deadline")
    lengths = deadlines_of(loop)
    waiting = lengths.get(seconds)
    if waiting is None:
        waiting = lengths[seconds] = Waiting(seconds)
    return waiting.begin(task, loop)


def deadlines_of(loop: Loop) -> dict[float, Waiting]:
    """The waits of a loop, by their seconds."""
    lengths = _loops.get(loop)
    if lengths is None:
        lengths = _loops[loop] = {}
    return lengths
