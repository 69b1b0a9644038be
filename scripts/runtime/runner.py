"""What a node may ask of the run it stands in; nodes never know which runner they have."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

from .answer import error_json
from .errors import RunError
from .events import EventLog

T = TypeVar("T")

# What a finished step left:
# {name, agent, output, action, usage, model, provider, finish_reason, duration_ms}.
Record = dict[str, Any]


class Ticket(NamedTuple):
    """A place in the order of a run; `record` is there when the step was finished before."""

    step: str
    visit: int
    record: Record | None

    @property
    def name(self) -> str:
        """`agent:<step>#<visit>`: what events, checkpoints and a continued run know it by."""
        return f"agent:{self.step}#{self.visit}"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person chose at a gate."""

    action: str
    comment: str = ""


class Runner(Protocol):
    """The seam between nodes and the engine below them."""

    @property
    def streaming(self) -> bool:
        """Whether anyone would see a model's text as it is written."""
        ...

    def reserve(self, step: str) -> Ticket:
        """The step's next visit, in the order of the calls: groups reserve before they start."""
        ...

    def step(
        self,
        ticket: Ticket,
        facts: Mapping[str, Any],
        body: Callable[[T], Awaitable[Record]],
        call: T,
    ) -> Coroutine[Any, Any, Record]:
        """The record of `body(call)`, or the recorded one without running it.

        Effects belong in the body; `facts` go into the event that says it has begun.
        """
        ...

    async def event(self, type: str, step: str, data: Mapping[str, Any]) -> None:
        """Tell whoever follows the run."""
        ...

    async def human(self, gate: str, question: str, actions: tuple[str, ...]) -> Decision:
        """A person's decision."""
        ...


class MemoryRunner:
    """Keeps everything in the process: no engine below, microseconds a step."""

    __slots__ = ("_log", "_recorded", "_visits")

    def __init__(self, log: EventLog, recorded: Mapping[str, Record] | None = None) -> None:
        self._log = log
        self._recorded = recorded or {}
        self._visits: dict[str, int] = {}

    @property
    def streaming(self) -> bool:
        return self._log.followers > 0

    def reserve(self, step: str) -> Ticket:
        visit = self._visits.get(step, 0) + 1
        self._visits[step] = visit
        if not self._recorded:
            return Ticket(step, visit, None)
        return Ticket(step, visit, self._recorded.get(f"agent:{step}#{visit}"))

    async def step(
        self,
        ticket: Ticket,
        facts: Mapping[str, Any],
        body: Callable[[T], Awaitable[Record]],
        call: T,
    ) -> Record:
        if ticket.record is not None:
            return ticket.record
        log = self._log
        began = log.append("step.started", ticket.step, facts).time
        try:
            record = await body(call)
        except RunError as error:
            error.step = ticket.step
            log.append("step.failed", ticket.step, {"error": error_json(error)})
            raise
        record["duration_ms"] = round((time.time() - began) * 1000, 3)
        log.append("step.completed", ticket.step, record)
        return record

    async def event(self, type: str, step: str, data: Mapping[str, Any]) -> None:
        self._log.append(type, step, data)

    async def human(self, gate: str, question: str, actions: tuple[str, ...]) -> Decision:
        raise RunError(f"gate {gate!r}: gates are not supported yet", step=gate)
