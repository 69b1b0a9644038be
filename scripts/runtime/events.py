"""The event log of a run: numbered from 1, bounded, the one source of every answer."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

from .clock import rfc3339

MAX_EVENTS: Final = 10_000  # of one run
TERMINAL: Final = frozenset({"run.completed", "run.pending", "run.failed", "run.cancelled"})

_KEPT: Final = MAX_EVENTS * 3 // 4  # what is left when the bound is met
_ENOUGH: Final = MAX_EVENTS * 7 // 8  # with the marks of what has gone
_DELTA: Final = "step.delta"
# What may go when there are no more deltas; results, failures and the run's own events never do.
_PASSING: Final = frozenset({"step.started", "step.tool", "step.retrying", "step.queued"})
_NOTHING: Final[Mapping[str, Any]] = {}
_seq = attrgetter("seq")
_tuple = tuple.__new__


class Event(NamedTuple):
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
    """The events of one run, and whoever follows them.

    Numbers only ever grow; they have gaps where the oldest deltas had to go, since a log holds
    MAX_EVENTS. `listeners` are called at each event, in the run's own time: for logs and metrics;
    not for those whose type is in `silent`.
    """

    __slots__ = (
        "_limit",
        "_waiting",
        "events",
        "followers",
        "listeners",
        "run_id",
        "seq",
        "silent",
    )

    def __init__(self, run_id: str, events: Sequence[Event] = (), seq: int = 0) -> None:
        """`events` and `seq`, the highest number so far, are what is known of earlier attempts."""
        self.run_id = run_id
        self.events: list[Event] = list(events)
        self.seq = seq
        self.followers = 0
        self.listeners: list[Callable[[Event], None]] = []
        self.silent: frozenset[str] = frozenset()
        self._limit = MAX_EVENTS
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def followed(self) -> bool:
        """Whether someone reads along, so that a model's text is worth streaming."""
        return self.followers > 0

    def append(
        self, type: str, step: str | None = None, data: Mapping[str, Any] = _NOTHING
    ) -> Event:
        """Write down what happened now."""
        self.seq += 1
        # What Event(…) does, for a third of its price.
        event = _tuple(Event, (self.seq, type, time.time(), step, data))
        self.events.append(event)
        if len(self.events) > self._limit:
            self._shrink()
        if self._waiting:
            self._wake()
        if self.listeners and type not in self.silent:
            for listener in self.listeners:
                listener(event)
        return event

    def since(self, seq: int) -> list[Event]:
        """The events with higher numbers."""
        events = self.events
        if not events or events[-1].seq <= seq:
            return []
        return events[bisect_right(events, seq, key=_seq) :]

    def forget_deltas(self) -> None:
        """Let go of the pieces whose whole is in the results."""
        self.events = [event for event in self.events if event.type != _DELTA]

    def _shrink(self) -> None:
        self.events = _without_deltas(self.events, len(self.events) - _KEPT)
        if len(self.events) > _ENOUGH:
            self.events = _without_passing(self.events, len(self.events) - _KEPT)
        self._limit = max(MAX_EVENTS, len(self.events) + MAX_EVENTS - _KEPT)

    def _wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    def follow(self, after: int = 0, *, joined: float = 0.0) -> AsyncIterator[list[Event]]:
        """Batches of the events behind number `after` as they come; ends behind a terminal one.

        The first event comes at once; one that comes within `joined` seconds of the last batch
        waits for as long, and for others. Counts as followed from this call on, not from the
        first read. A reader that is late costs nothing: it misses deltas that had to go.
        """
        self.followers += 1
        return self._follow(after, joined)

    async def _follow(self, after: int, joined: float) -> AsyncIterator[list[Event]]:
        loop, free = asyncio.get_running_loop(), 0.0
        try:
            while True:
                batch = self.since(after)
                if batch and joined and batch[-1].type not in TERMINAL:
                    if (early := free - loop.time()) > 0:
                        await asyncio.sleep(early)
                        batch = self.since(after)
                    free = loop.time() + joined
                if batch:
                    after = batch[-1].seq
                    yield batch
                    if batch[-1].type in TERMINAL:
                        return
                else:
                    future: asyncio.Future[None] = loop.create_future()
                    self._waiting.append(future)
                    await future
        finally:
            self.followers -= 1


def _without_deltas(events: Sequence[Event], excess: int) -> list[Event]:
    """Without the oldest deltas; in each step's place of the last of them stands how many."""
    dropped: dict[tuple[str | None, int | None], tuple[int, int]] = {}
    for event in events[:-1]:
        if excess <= 0:
            break
        if event.type == _DELTA:
            excess -= 1
            count = dropped.get(_whose(event), (0, 0))[0]
            dropped[_whose(event)] = (count + event.data.get("dropped", 1), event.seq)
    found = []
    for event in events:
        count, last = dropped.get(_whose(event), (0, 0))
        if event.type != _DELTA or event.seq > last:
            found.append(event)
        elif event.seq == last:
            data = {**event.data, "text": "", "dropped": count}
            found.append(Event(event.seq, _DELTA, event.time, event.step, data))
    return found


def _whose(event: Event) -> tuple[str | None, int | None]:
    return event.step, event.data.get("item")


def _without_passing(events: Sequence[Event], excess: int) -> list[Event]:
    found = []
    for event in events:
        if excess > 0 and event.type in _PASSING:
            excess -= 1
        else:
            found.append(event)
    return found
