"""From the event log to the JSON answer of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from .errors import BMADError, RunError
from .events import Event
from .prices import NOTHING, added, dollars, exact

_STATUS: Final = {
    "run.completed": "success",
    "run.pending": "pending",
    "run.failed": "error",
    "run.cancelled": "error",
}
# `step.undone` is a finished step that had to run again. Its result is void, its cost is not;
# a failed step may have been paid for too. What an earlier run paid, this one did not.
PAID: Final = frozenset({"step.completed", "step.undone", "step.failed"})
HELD: Final = frozenset({"step.completed", "step.reused"})
_NO_DATA: Final[Mapping[str, Any]] = {}


def error_json(error: BMADError) -> dict[str, Any]:
    """`{code, message, step, attempts, retryable}` of a fault."""
    known = error if isinstance(error, RunError) else None
    return {
        "code": error.code,
        "message": error.message,
        "step": known.step if known else None,
        "attempts": known.attempts if known else 1,
        "retryable": known.retryable if known else False,
    }


def answer(
    run_id: str,
    events: Sequence[Event],
    ending: str,
    data: Mapping[str, Any] = _NO_DATA,
    *,
    since: int = 0,
    ended: float = 0.0,
) -> dict[str, Any]:
    """The answer of a run that ends with the event type `ending` and its `data`.

    `since` is the index of this attempt's first event, `ended` its end in Unix
    seconds: a continued run keeps the results of earlier attempts, and times its own.
    """
    results: dict[str, Any] = {}
    items: dict[str, dict[int, Any]] = {}
    skipped: dict[str, None] = {}
    usage = {"input_tokens": 0, "output_tokens": 0, "cached_tokens": 0, "calls": 0}
    cost: Decimal | None = NOTHING
    models: set[str] = set()
    for _, type_, _, step, facts in events:
        if type_ in HELD:
            _add_result(results, items, str(step), facts)
            if skipped:
                skipped.pop(str(step), None)
        if type_ in PAID:
            for key, count in facts.get("usage", _NO_DATA).items():
                if key != "cost_usd":
                    usage[key] += count
                elif count != 0:  # free is the most frequent price, and needs no arithmetic
                    cost = added(cost, None if count is None else exact(count))
            if "provider" in facts:
                models.add(facts["provider"])
        elif type_ == "step.skipped" and not _came_back(events, step, facts["visit"]):
            skipped[str(step)] = None
            results.pop(str(step), None)
    began = events[since].time if len(events) > since else ended
    return {
        "run_id": run_id,
        "status": _STATUS[ending],
        "results": results,
        "pending_docs": list(data.get("pending_docs", ())),
        "pending_gates": list(data.get("pending_gates", ())),
        "error": data.get("error"),
        "skipped": list(skipped),
        "usage": {**usage, "cost_usd": dollars(cost), "providers": sorted(models)},
        "duration_ms": round(max(0.0, ended - began) * 1000, 3),
    }


def _came_back(events: Sequence[Event], step: str | None, visit: int) -> bool:
    """Whether the step has a result of a later visit: a run that goes on skips again, in its turn.

    The result may be from an earlier attempt, and so stand before the skip in the log.
    """
    return any(
        event.step == step and event.type in HELD and _visit(event.data["name"]) > visit
        for event in events
    )


def _visit(name: str) -> int:
    return int(name.rpartition("#")[2].partition("[")[0])


def _add_result(
    results: dict[str, Any], items: dict[str, dict[int, Any]], step: str, data: Mapping[str, Any]
) -> None:
    """A step visited again gives its last output, a `for_each` step a list in item order."""
    results.pop(step, None)  # its new place is the last one
    if data.get("item") is None:
        results[step] = data["output"]
        return
    visit, _, _ = data["name"].rpartition("[")
    found = items.setdefault(visit, {})
    found[data["item"]] = data["output"]
    results[step] = [found[number] for number in sorted(found)]
