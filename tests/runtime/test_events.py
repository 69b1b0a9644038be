"""The event log and the ids and times in it."""

from __future__ import annotations

import asyncio
import time
import uuid

from scripts.runtime.clock import rfc3339, uuid7
from scripts.runtime.events import EventLog


def test_numbers_are_without_gaps_and_json_is_flat() -> None:
    log = EventLog("r-1")
    log.append("run.started", None, {"flow": "default"})
    log.append("step.started", "a")
    first, second = (event.as_json("r-1") for event in log.events)
    assert first["seq"] == 1
    assert first["flow"] == "default"
    assert "step" not in first
    assert (second["seq"], second["step"], second["run_id"]) == (2, "a", "r-1")
    assert second["time"].endswith("Z")


def test_ready_events_come_in_one_batch_and_readers_do_not_disturb_each_other() -> None:
    async def main() -> None:
        log = EventLog("r")
        readers = [log.follow(), log.follow()]
        assert log.followed
        for _ in range(5):
            log.append("step.delta", "a", {"text": "x"})
        for reader in readers:
            assert len(await anext(reader)) == 5
        waiting = asyncio.ensure_future(anext(readers[0]))
        await asyncio.sleep(0)
        log.append("run.completed")
        assert [event.seq for event in await waiting] == [6]
        assert [event.seq for event in await anext(readers[1])] == [6]
        assert [batch async for batch in readers[0]] == []

    asyncio.run(main())


def test_listeners_hear_each_event_as_it_happens() -> None:
    log = EventLog("r")
    heard: list[str] = []
    log.listeners.append(lambda event: heard.append(event.type))
    log.append("run.started")
    log.append("run.completed")
    assert heard == ["run.started", "run.completed"]


def test_run_ids_are_uuid_version_7_and_sort_by_time() -> None:
    ids = []
    for _ in range(50):
        ids.append(uuid7())
        start = time.time_ns() // 1_000_000
        while time.time_ns() // 1_000_000 == start:
            pass  # the next millisecond
    assert ids == sorted(ids)
    assert {uuid.UUID(each).version for each in ids} == {7}
    assert {uuid.UUID(each).variant for each in ids} == {uuid.RFC_4122}


def test_times_are_rfc_3339_in_utc() -> None:
    assert rfc3339(0) == "1970-01-01T00:00:00.000Z"
    assert rfc3339(1_700_000_000.1234) == "2023-11-14T22:13:20.123Z"
