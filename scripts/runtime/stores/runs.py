"""What is kept of runs that have not succeeded, so that the same request goes on from there."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from ..errors import BMADError
from ..events import Event

MAX_UNFINISHED: Final = 1000  # runs that can be continued; the oldest are forgotten first

# One line of a record: `op` is run, had, again, step or end; `seq` and `time` as in an event.
Line = Mapping[str, Any]
OnFault = Callable[[BMADError], None]

DONE: Final = "step.completed"
HAD: Final = "step.reused"
HELD: Final = frozenset({DONE, HAD})  # the events of a run that say what its steps came to


@dataclass(slots=True)
class Kept:
    """What is known of a run that can go on; `ending` is its last event, if it had one.

    `steps` are its finished steps in order, as events: `step.completed`, or `step.reused` for
    those that it has from an earlier run; `lost` those that failed after they were paid for.
    `changed` tells which documents are newer than the steps up to which number.
    """

    run_id: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    steps: list[Event] = field(default_factory=list)
    lost: list[Event] = field(default_factory=list)
    changed: dict[str, int] = field(default_factory=dict)
    ending: Mapping[str, Any] | None = None
    seq: int = 0

    def apply(self, line: Line) -> None:
        """Take in the next line. Raises KeyError, TypeError or ValueError for one that is none."""
        op, seq, time = line["op"], int(line["seq"]), float(line["time"])
        if op == "run":
            self.run_id = str(line["run_id"])
        elif op == "step":
            seq = max(seq, self.seq + 1)
            self.steps.append(Event(seq, DONE, time, line["step"], {**line["record"]}))
        elif op == "had":
            self.steps.append(Event(seq, HAD, time, line["step"], {**line["record"]}))
        elif op == "again":
            self.changed |= {str(name): max(seq, self.seq) for name in line["changed"]}
        elif op == "end":
            self._lose(line.get("lost", ()))
        if op in ("run", "again"):
            self.sources = {**line["sources"]}
        self.ending = line if op == "end" else None
        self.seq = max(seq, self.seq)

    def _lose(self, lines: Iterable[Line]) -> None:
        for line in lines:
            record = {**line["record"]}
            event = Event(line["seq"], "step.failed", line["time"], line["step"], record)
            self.lost.append(event)

    @property
    def events(self) -> list[Event]:
        """What a further attempt has in its log of the ones before, in order.

        Where documents have changed each step has yet to be found good, or to run again: what
        they came to is void until then, what they cost is not.
        """
        done: Iterable[Event] = self.steps
        if self.changed:
            done = (
                Event(e.seq, "step.undone", e.time, e.step, e.data)
                for e in self.steps
                if e.type == DONE
            )
        return sorted((*done, *self.lost), key=lambda event: event.seq)

    @property
    def pending_gates(self) -> Mapping[str, Mapping[str, Any]]:
        """The gates it waits at, by their ids, each as the answer showed it."""
        found = (self.ending or {}).get("pending_gates", ())
        return {gate["gate"]: gate for gate in found}


def run_line(run_id: str, time: float, sources: Mapping[str, str], **facts: Any) -> Line:
    """The first line of a run; `facts` are for people who read the file."""
    head = {"v": 1, "op": "run", "seq": 0, "time": time, "run_id": run_id}
    return {**head, **facts, "sources": sources}


def again_line(
    seq: int, time: float, sources: Mapping[str, str], changed: Iterable[str] = ()
) -> Line:
    """A further attempt, on these sources; the documents `changed` are newer than all steps."""
    return {
        "op": "again",
        "seq": seq,
        "time": time,
        "changed": list(changed),
        "sources": sources,
    }


def had_line(event: Event) -> Line:
    """A step that an earlier run finished, in the record of one that may reuse it."""
    head = {"op": "had", "seq": event.seq, "time": event.time, "step": event.step}
    return {**head, "record": event.data}


def step_line(seq: int, time: float, step: str, record: Mapping[str, Any]) -> Line:
    """A finished step."""
    return {"op": "step", "seq": seq, "time": time, "step": step, "record": record}


def end_line(
    seq: int, time: float, type: str, data: Mapping[str, Any], events: Sequence[Event] = ()
) -> Line:
    """How an attempt ended, other than by success; of its `events` what was paid for nothing."""
    gates, documents = data.get("pending_gates", ()), data.get("pending_docs", ())
    head = {"op": "end", "seq": seq, "time": time, "type": type}
    line = {**head, "pending_gates": gates, "pending_docs": documents, "error": data.get("error")}
    lost = [event for event in events if event.type == "step.failed" and "usage" in event.data]
    return {**line, "lost": list(map(_lost_line, lost))} if lost else line


def _lost_line(event: Event) -> Line:
    record = {key: value for key, value in event.data.items() if key != "error"}
    return {"seq": event.seq, "time": event.time, "step": event.step, "record": record}


@dataclass(frozen=True, slots=True)
class Done:
    """A run that succeeded: what a later one can reuse of it when documents have changed."""

    run_id: str
    time: float
    sources: Mapping[str, str]
    steps: Sequence[Event]


class RunRecord(Protocol):
    """The record of one identity, ours from `claim` to `end`, `succeed` or `release`."""

    @property
    def kept(self) -> Kept | None:
        """What there was when it was claimed."""
        ...

    def begin(self, lines: Sequence[Line], on_fault: OnFault, *, afresh: bool) -> None:
        """An attempt begins: `afresh` forgets what was kept.

        `on_fault` hears of a write that failed later; the run must stop then.
        """
        ...

    def add(self, line: Line) -> Awaitable[None] | None:
        """Keep a finished step; to be awaited, if there is something to await.

        Raises StoreError, and Conflict when another process has begun the same run.
        """
        ...

    def end(self, line: Line) -> None:
        """It ended, and can go on later; it is let go of. Raises StoreError or Conflict."""
        ...

    def succeed(self, done: Done | None) -> None:
        """It succeeded and cannot go on; `done` is remembered until its like succeeds again."""
        ...

    def release(self) -> None:
        """It was not begun: nothing has changed."""
        ...


class RunStore(Protocol):
    """Records by identity, a hash in hex."""

    def claim(self, identity: str) -> RunRecord:
        """The record, for us alone. Raises Conflict while the run is going on elsewhere."""
        ...

    def finished(self, identity: str) -> Kept | None:
        """What the last run of this identity came to that succeeded, if that is known."""
        ...

    def close(self) -> None: ...


def reusable(run_id: str, sources: Mapping[str, str], steps: Iterable[Event]) -> Kept:
    """A finished run as something to begin with: its steps are `step.reused`, in order.

    Their numbers end with 0, so that those of the new run's events begin with 1.
    """
    before = sorted(steps, key=lambda event: event.seq)
    first = 1 - len(before)
    had = [
        Event(first + place, HAD, event.time, event.step, event.data)
        for place, event in enumerate(before)
    ]
    return Kept(run_id, sources, had)


class MemoryRuns:
    """Keeps records in the process: for runs without a data folder."""

    def __init__(self, limit: int = MAX_UNFINISHED) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._done: OrderedDict[str, Done] = OrderedDict()

    def claim(self, identity: str) -> MemoryRecord:
        """The record; one process has no twins that its executor would not see."""
        return MemoryRecord(self, identity, self._kept.get(identity))

    def keep(self, identity: str, kept: Kept) -> None:
        """Remember a run that can go on."""
        self._kept[identity] = kept
        self._kept.move_to_end(identity)
        if len(self._kept) > self._limit:
            self._kept.popitem(last=False)

    def drop(self, identity: str, done: Done | None) -> None:
        """Forget a run that can go on; remember what it came to."""
        self._kept.pop(identity, None)
        if done is not None:
            self._done[identity] = done
            self._done.move_to_end(identity)
            if len(self._done) > self._limit:
                self._done.popitem(last=False)

    def finished(self, identity: str) -> Kept | None:
        done = self._done.get(identity)
        return reusable(done.run_id, done.sources, done.steps) if done else None

    def close(self) -> None:
        return


class MemoryRecord:
    """One of them."""

    def __init__(self, store: MemoryRuns, identity: str, kept: Kept | None) -> None:
        self._store = store
        self._identity = identity
        self._lines: list[Line] = []
        self._afresh = False
        self.kept = kept

    def begin(self, lines: Sequence[Line], on_fault: OnFault, *, afresh: bool) -> None:
        self._afresh = afresh
        self._lines += lines

    def add(self, line: Line) -> None:
        self._lines.append(line)

    def end(self, line: Line) -> None:
        kept = Kept() if self._afresh else self.kept or Kept()
        for each in (*self._lines, line):  # a line of ours may be applied twice
            kept.apply(each)
        self._store.keep(self._identity, kept)

    def succeed(self, done: Done | None) -> None:
        self._store.drop(self._identity, done)

    def release(self) -> None:
        return
