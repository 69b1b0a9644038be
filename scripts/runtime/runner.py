"""What a node may ask of the run it stands in; nodes never know which runner they have."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol, TypeVar, runtime_checkable

from .answer import error_json
from .errors import BMADError, RunError
from .events import EventLog

T = TypeVar("T")
_tuple = tuple.__new__

# What clients hear of a fault of ours.
OURS: Final = "the service failed; its log says more under this run's id"

# What a finished step left:
# {name, agent, output, action, usage, model, provider, finish_reason, duration_ms}.
Record = dict[str, Any]


class Ticket(NamedTuple):
    """A place in the order of a run; `record` is there when the step was finished before.

    `name` is `agent:<step>#<visit>` and `[<item>]` for an item of a `for_each`, `gate:…` for a
    gate: what events, checkpoints and a continued run know it by.
    """

    step: str
    visit: int
    record: Record | None
    name: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person chose at a gate; at which of its visits, from 1, None for the one it is at."""

    gate: str
    action: str
    comment: str = ""
    visit: int | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What a gate asks; `gate` is its step id, `visit` how often the run has come to it."""

    gate: str
    question: str
    actions: tuple[str, ...]
    visit: int

    def json(self) -> dict[str, Any]:
        """As answers show it."""
        shown = {"gate": self.gate, "question": self.question, "actions": list(self.actions)}
        return {**shown, "visit": self.visit}


@runtime_checkable
class Paid(Protocol):
    """A call that costs money, whatever becomes of it."""

    def bill(self) -> Record:
        """What was paid so far, to whom: `{usage, model, provider}`, or nothing."""
        ...


class Runner(Protocol):
    """The seam between nodes and the engine below them."""

    @property
    def streaming(self) -> bool:
        """Whether anyone would see a model's text as it is written."""
        ...

    def reserve(self, step: str, kind: str = "agent") -> Ticket:
        """The step's next visit, in the order of the calls: groups reserve before they start."""
        ...

    def item(self, ticket: Ticket, number: int) -> Ticket:
        """The place of one item of a `for_each` step; numbers count from 0."""
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
        """Tell whoever follows the run, and keep it."""
        ...

    def tell(self, step: str, text: str, item: int | None = None) -> None:
        """Show a piece of a model's text to whoever follows now; it need not be kept."""
        ...

    async def human(self, ticket: Ticket, question: Question) -> Record:
        """A person's decision, `{action, comment}` as the record's output.

        Raises StepBlocked as long as there is none.
        """
        ...


class MemoryRunner:
    """Keeps everything in the process: no engine below, microseconds a step.

    `keep` is told of each finished step before anyone else; it may return what is to be awaited.
    """

    __slots__ = ("_decision", "_keep", "_log", "_recorded", "_visits")

    def __init__(
        self,
        log: EventLog,
        recorded: Mapping[str, Record] | None = None,
        decision: Decision | None = None,
        keep: Callable[[str, Record], Awaitable[None] | None] | None = None,
    ) -> None:
        self._log = log
        self._recorded = recorded or {}
        self._visits: dict[str, int] = {}
        self._decision = decision
        self._keep = keep

    @property
    def streaming(self) -> bool:
        return self._log.followers > 0

    def reserve(self, step: str, kind: str = "agent") -> Ticket:
        visits, recorded = self._visits, self._recorded
        visit = visits[step] = visits[step] + 1 if step in visits else 1
        name = f"{kind}:{step}#{visit}"
        # What Ticket(…) does, for a third of its price.
        return _tuple(Ticket, (step, visit, recorded.get(name) if recorded else None, name))

    def item(self, ticket: Ticket, number: int) -> Ticket:
        name = f"{ticket.name}[{number}]"
        return Ticket(ticket.step, ticket.visit, self._recorded.get(name), name)

    async def step(
        self,
        ticket: Ticket,
        facts: Mapping[str, Any],
        body: Callable[[T], Awaitable[Record]],
        call: T,
    ) -> Record:
        if ticket.record is not None:
            return ticket.record
        log, keep = self._log, self._keep
        began = log.append("step.started", ticket.step, facts).time
        try:
            record = await body(call)
            record["duration_ms"] = int((time.time() - began) * 1_000_000) / 1000
            if keep is not None and (waiting := keep(ticket.step, record)) is not None:
                await waiting
        except BaseException as error:
            self._failed(ticket, facts, error, call)
            raise
        log.append("step.completed", ticket.step, record)
        return record

    def _failed(
        self, ticket: Ticket, facts: Mapping[str, Any], error: BaseException, call: object
    ) -> None:
        """Say so, with what was paid. A step that is only broken off says so if it was paid for."""
        bill = call.bill() if isinstance(call, Paid) else {}
        if bill:
            bill |= {"name": ticket.name, "agent": facts["agent"]}
        fault = _fault(ticket.step, error, was_paid=bool(bill))
        if fault is None:
            return
        data = {"error": error_json(fault), **bill}
        if "item" in facts:
            data["item"] = facts["item"]
        self._log.append("step.failed", ticket.step, data)

    async def event(self, type: str, step: str, data: Mapping[str, Any]) -> None:
        self._log.append(type, step, data)

    def tell(self, step: str, text: str, item: int | None = None) -> None:
        data = {"text": text} if item is None else {"item": item, "text": text}
        self._log.append("step.delta", step, data)

    async def human(self, ticket: Ticket, question: Question) -> Record:
        if ticket.record is not None:
            return ticket.record
        decision = self._decision
        if decision is None or decision.gate != ticket.step:
            raise StepBlocked(questions=(question,))
        self._decision = None  # a loop that comes back asks again
        output = {"action": decision.action, "comment": decision.comment}
        record = {"name": ticket.name, "output": output, "action": decision.action}
        if self._keep is not None and (waiting := self._keep(ticket.step, record)):
            await waiting
        self._log.append("step.completed", ticket.step, record)
        return record


class StepBlocked(Exception):
    """Not a fault: a step waits for documents or decisions that a client may still give."""

    def __init__(
        self, documents: tuple[str, ...] = (), questions: tuple[Question, ...] = ()
    ) -> None:
        names = (*documents, *(question.gate for question in questions))
        super().__init__(f"waiting for {', '.join(names)}")
        self.documents = documents
        self.questions = questions

    @classmethod
    def of(cls, several: Iterable[StepBlocked]) -> StepBlocked:
        """All that several steps wait for, each once."""
        documents: dict[str, None] = {}
        questions: dict[Question, None] = {}
        for each in several:
            documents.update(dict.fromkeys(each.documents))
            questions.update(dict.fromkeys(each.questions))
        return cls(tuple(documents), tuple(questions))


def _fault(step: str, error: BaseException, *, was_paid: bool) -> BMADError | None:
    """What there is to say of a step that `error` left; None when it only waits or was stopped."""
    if isinstance(error, RunError):
        error.step = error.step or step
    if isinstance(error, BMADError):
        return error
    if isinstance(error, Exception) and not isinstance(error, StepBlocked):
        return RunError(OURS, step=step)
    if not was_paid:
        return None
    fault = RunError("the step was broken off", step=step)
    fault.code = "cancelled"
    return fault
