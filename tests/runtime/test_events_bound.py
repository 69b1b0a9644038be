"""A log that is full: what goes, what stays, and how readers get on."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from scripts.runtime.events import MAX_EVENTS, EventLog

DELTA = {"text": "a word "}


def numbers(log: EventLog) -> list[int]:
    return [event.seq for event in log.events]


def test_the_oldest_deltas_go_and_it_is_said() -> None:
    log = EventLog("r")
    log.append("run.started")
    log.append("step.started", "a")
    for _ in range(3 * MAX_EVENTS):
        log.append("step.delta", "a", DELTA)
    log.append("step.completed", "a")
    assert len(log.events) <= MAX_EVENTS
    assert numbers(log) == sorted(set(numbers(log)))
    assert log.events[-1].seq == 3 * MAX_EVENTS + 3
    types = [event.type for event in log.events]
    assert types[:2] == ["run.started", "step.started"]
    marks = [event for event in log.events if "dropped" in event.data]
    assert [mark.type for mark in marks] == ["step.delta"]
    left = types.count("step.delta") - 1
    assert marks[0].data == {"text": "", "dropped": 3 * MAX_EVENTS - left}


def test_each_step_tells_its_own_losses() -> None:
    log = EventLog("r")
    for number in range(2 * MAX_EVENTS):
        log.append("step.delta", "ab"[number % 2], DELTA)
    dropped = {event.step: event.data["dropped"] for event in log.events if "dropped" in event.data}
    kept = [event for event in log.events if "dropped" not in event.data]
    assert dropped.keys() == {"a", "b"}
    assert sum(dropped.values()) + len(kept) == 2 * MAX_EVENTS


def test_results_never_go() -> None:
    log = EventLog("r")
    for number in range(MAX_EVENTS):
        log.append("step.started", f"s{number}")
        log.append("step.completed", f"s{number}")
    assert sum(event.type == "step.completed" for event in log.events) == MAX_EVENTS
    assert len(log.events) < 1.5 * MAX_EVENTS


def test_a_reader_that_never_reads_costs_nothing_and_still_ends() -> None:
    async def main() -> None:
        log = EventLog("r")
        idle, quick = log.follow(), log.follow()
        seen = 0
        for number in range(100_000):
            log.append("step.delta", "a", {"text": f"word {number} "})
            if number % 1000 == 0:
                assert len(log.events) <= MAX_EVENTS
                seen += len(await anext(quick))
        log.append("run.completed")
        rest = [event async for batch in idle for event in batch]
        assert len(rest) <= MAX_EVENTS
        assert rest[-1].type == "run.completed"
        seen += len([event async for batch in quick for event in batch])
        assert seen == 100_001, "who keeps up misses nothing"

    asyncio.run(main())


@given(st.lists(st.integers(0, 20), max_size=30), st.integers(0, 25))
def test_since_finds_its_place_in_a_list_with_gaps(gaps: list[int], after: int) -> None:
    log = EventLog("r")
    for gap in gaps:
        log.seq += gap
        log.append("step.delta", "a", DELTA)
    assert log.since(after) == [event for event in log.events if event.seq > after]


def test_a_log_goes_on_from_what_is_known() -> None:
    before = EventLog("r")
    before.append("step.completed", "a")
    log = EventLog("r", before.events, seq=7)
    assert log.append("run.started").seq == 8
    assert [event.seq for event in log.since(7)] == [8]
    assert numbers(log) == [1, 8]
    assert before.seq == 1
