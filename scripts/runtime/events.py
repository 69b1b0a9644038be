"""The event log of a run: append-only, numbered from 1, the one source of every answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .clock import rfc3339

TERMINAL: Final = frozenset({"run.completed", "run.pending", "run.failed", "run.cancelled"})
_NOTHING: Final[Mapping[str, Any]] = {}


@dataclass(slots=True)
class Event:
    """One thing that happened; `time` is in Unix seconds, `step` is None for the run's own."""

    seq: int
    type: str
    time: float
    step: str | None
    data: Mapping[str, Any]

    def as_json(self, run_id: str) -> dict[str, Any]:
        """The object that a client sees: `{seq, run_id, type, time, step?, …data}`."""
        head = {"seq": self.seq, "run_id": run_id, "type": self.type, "time": rfc3339(self.time)}
        if self.step is not None:
            head["step"] = self.step
        return {**head, **self.data}


class EventLog:
    """All events of one run, and whoever follows them.

    `listeners` are called at each event, in the run's own time: for logs and metrics.
    """

    __slots__ = ("_waiting", "events", "followers", "listeners", "run_id")

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.events: list[Event] = []
        self.followers = 0
        self.listeners: list[Callable[[Event], None]] = []
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def followed(self) -> bool:
        """Whether someone reads along, so that a model's text is worth streaming."""
        return self.followers > 0

    def append(
        self, type: str, step: str | None = None, data: Mapping[str, Any] = _NOTHING
    ) -> Event:
        """Write down what happened now."""
        event = Event(len(self.events) + 1, type, time.time(), step, data)
        self.events.append(event)
        if self._waiting:
            self._wake()
        for listener in self.listeners:
            listener(event)
        return event

    def _wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    def follow(self, after: int = 0) -> AsyncIterator[list[Event]]:
        """Batches of the events behind `after` as they come; ends behind a terminal one.

        Counts as followed from this call on, not from the first read.
        """
        self.followers += 1
        return self._follow(after)

    async def _follow(self, after: int) -> AsyncIterator[list[Event]]:
        try:
            while True:
                batch = self.events[after:]
                if batch:
                    after += len(batch)
                    yield batch
                    if batch[-1].type in TERMINAL:
                        return
                else:
                    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiting.append(future)
                    await future
        finally:
            self.followers -= 1
