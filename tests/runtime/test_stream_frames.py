"""The bytes of events on the wire, and how those are joined that follow closely."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from scripts.runtime.api.stream import frame
from scripts.runtime.clock import rfc3339
from scripts.runtime.events import Event, EventLog
from tests.runtime.virtual import run as run_virtual

TEXTS = st.text(st.characters(exclude_categories=()), max_size=20)
DATA = st.one_of(
    TEXTS.map(lambda text: {"text": text}),
    st.builds(lambda text, dropped: {"text": text, "dropped": dropped}, TEXTS, st.integers(1, 9)),
    st.dictionaries(TEXTS, TEXTS | st.integers() | st.none(), max_size=3),
    st.fixed_dictionaries({"step": TEXTS, "seq": st.integers(1, 9)}),
)
EVENTS = st.builds(
    Event,
    st.integers(1, 10**6),
    st.sampled_from(["step.delta", "step.completed", "run.started"]),
    st.floats(0, 4e9).map(lambda seconds: round(seconds, 3)),
    st.none() | st.text(min_size=1, max_size=8),
    DATA,
)


def _deltas_have_texts(events: list[Event]) -> bool:
    return all("text" in event.data for event in events if event.type == "step.delta")


@given(st.lists(EVENTS, max_size=4).filter(_deltas_have_texts), st.text(max_size=5))
def test_every_event_is_framed_as_the_json_that_it_is(events: list[Event], run_id: str) -> None:
    found = frame(events, run_id).decode("ascii").split("\n\n")
    assert found.pop() == ""
    for event, text in zip(events, found, strict=True):
        id_, name, data = text.split("\n")
        assert id_ == f"id: {event.seq}"
        assert name == f"event: {event.type}"
        assert json.loads(data.removeprefix("data: ")) == event.as_json(run_id)


@given(st.integers(0, 4 * 10**12))
def test_times_are_exact_to_the_millisecond(millis: int) -> None:
    assert rfc3339(millis / 1000).endswith(f".{millis % 1000:03}Z")


def test_the_first_event_comes_at_once_and_close_ones_wait_for_one_another() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        log = EventLog("r")
        reader = log.follow(joined=0.5)
        began = loop.time()

        async def read() -> list[tuple[list[int], float]]:
            return [([e.seq for e in batch], loop.time() - began) async for batch in reader]

        task = asyncio.create_task(read())
        for _ in range(3):  # at 0.0, 0.1 and 0.2 seconds
            log.append("step.delta", "a", {"text": "x"})
            await asyncio.sleep(0.1)
        await asyncio.sleep(1)
        log.append("step.delta", "a", {"text": "x"})
        await asyncio.sleep(0.1)
        log.append("run.completed")  # the last one waits for nothing
        took = await task
        assert [seqs for seqs, _ in took] == [[1], [2, 3], [4], [5]]
        assert [round(at, 1) for _, at in took] == [0.0, 0.5, 1.3, 1.4]

    run_virtual(main())


def test_records_keep_their_own_fields_on_the_wire() -> None:
    data: dict[str, Any] = {"type": "mine"}
    text = frame([Event(1, "step.tool", 0.0, "a", data)], "r").decode()
    assert json.loads(text.split("data: ")[1])["type"] == "mine"
