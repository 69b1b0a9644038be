"""What is kept of runs that have not succeeded, so that the same request goes on from there."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from ..errors import BMADError
from ..events import Event

MAX_UNFINISHED: Final = 1000  # runs that can be continued; the oldest are forgotten first

# One line of a record: `op` is run, again, step or end; `seq` and `time` as in an event.
Line = Mapping[str, Any]
OnFault = Callable[[BMADError], None]


@dataclass(slots=True)
class Kept:
    """What is known of a run that did not succeed; `ending` is its last event, if it had one.

    `steps` are its finished steps in order, as events; `undone` those that shall run again;
    `lost` those that failed after they were paid for.
    """

    run_id: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    steps: list[Event] = field(default_factory=list)
    undone: list[Event] = field(default_factory=list)
    lost: list[Event] = field(default_factory=list)
    ending: Mapping[str, Any] | None = None
    seq: int = 0

    def apply(self, line: Line) -> None:
        """Take in the next line. Raises KeyError, TypeError or ValueError for one that is none."""
        op, seq, time = line["op"], int(line["seq"]), float(line["time"])
        if op == "run":
            self.run_id = str(line["run_id"])
        elif op == "step":
            record = {**line["record"]}
            event = Event(max(seq, self.seq + 1), "step.completed", time, line["step"], record)
            self.steps.append(event)
        elif op == "again" and line["undo"] is not None:
            undone = [event for event in self.steps if event.seq >= line["undo"]]
            self.steps = self.steps[: len(self.steps) - len(undone)]
            self.undone += [Event(e.seq, "step.undone", e.time, e.step, e.data) for e in undone]
        elif op == "end":
            self._lose(line.get("lost", ()))
        if op in ("run", "again"):
            self.sources = {**line["sources"]}
        self.ending = line if op == "end" else None
        self.seq = max(seq, self.seq + (op == "step"))

    def _lose(self, lines: Iterable[Line]) -> None:
        for line in lines:
            record = {**line["record"]}
            event = Event(line["seq"], "step.failed", line["time"], line["step"], record)
            self.lost.append(event)

    @property
    def events(self) -> list[Event]:
        """The finished steps of all attempts, and what others cost, in order."""
        return sorted((*self.steps, *self.undone, *self.lost), key=lambda event: event.seq)

    @property
    def pending_gates(self) -> Mapping[str, tuple[str, ...]]:
        """The gates it waits at, each with its actions."""
        found = (self.ending or {}).get("pending_gates", ())
        return {gate["gate"]: tuple(gate["actions"]) for gate in found}


def run_line(run_id: str, time: float, sources: Mapping[str, str], **facts: Any) -> Line:
    """The first line of a run; `facts` are for people who read the file."""
    head = {"v": 1, "op": "run", "seq": 0, "time": time, "run_id": run_id}
    return {**head, **facts, "sources": sources}


def again_line(seq: int, time: float, sources: Mapping[str, str], undo: int | None) -> Line:
    """A further attempt, on these sources; steps from number `undo` on are to run again."""
    return {"op": "again", "seq": seq, "time": time, "undo": undo, "sources": sources}


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


class RunRecord(Protocol):
    """The record of one identity, ours from `claim` to `end`, `forget` or `release`."""

    @property
    def kept(self) -> Kept | None:
        """What there was when it was claimed."""
        ...

    def begin(self, line: Line | None, on_fault: OnFault, *, afresh: bool) -> None:
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
        """It ended, and can go on later."""
        ...

    def forget(self) -> None:
        """It succeeded."""
        ...

    def release(self) -> None:
        """It was not begun: nothing has changed."""
        ...


class RunStore(Protocol):
    """Records by identity, a hash in hex."""

    def claim(self, identity: str) -> RunRecord:
        """The record, for us alone. Raises Conflict while the run is going on elsewhere."""
        ...


class MemoryRuns:
    """Keeps records in the process: for runs without a data folder."""

    def __init__(self, limit: int = MAX_UNFINISHED) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, Kept] = OrderedDict()

    def claim(self, identity: str) -> MemoryRecord:
        """The record; one process has no twins that its executor would not see."""
        return MemoryRecord(self, identity, self._kept.get(identity))

    def keep(self, identity: str, kept: Kept) -> None:
        """Remember a run that can go on."""
        self._kept[identity] = kept
        self._kept.move_to_end(identity)
        if len(self._kept) > self._limit:
            self._kept.popitem(last=False)

    def drop(self, identity: str) -> None:
        """Forget a run."""
        self._kept.pop(identity, None)


class MemoryRecord:
    """One of them."""

    def __init__(self, store: MemoryRuns, identity: str, kept: Kept | None) -> None:
        self._store = store
        self._identity = identity
        self._lines: list[Line] = []
        self._afresh = False
        self.kept = kept

    def begin(self, line: Line | None, on_fault: OnFault, *, afresh: bool) -> None:
        self._afresh = afresh
        if line is not None:
            self._lines.append(line)

    def add(self, line: Line) -> None:
        self._lines.append(line)

    def end(self, line: Line) -> None:
        kept = Kept() if self._afresh else self.kept or Kept()
        for each in (*self._lines, line):  # a line of ours may be applied twice
            kept.apply(each)
        self._store.keep(self._identity, kept)

    def forget(self) -> None:
        self._store.drop(self._identity)

    def release(self) -> None:
        return
