"""A run as Server-Sent Events; clients that leave; a service that stops."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from scripts.runtime.api.stream import StreamResponse
from scripts.runtime.models.protocol import ModelRequest

from .agents import Scripted
from .api import SECONDS, Served, application, serve

SSE = {"accept": "text/event-stream"}
BODY = {"input": "an idea", "story_id": "S-1", "flow": "one"}


class Gate:
    """A model's answer that comes when the test says so."""

    def __init__(self) -> None:
        self.opened = False

    async def __call__(self, request: ModelRequest) -> str:
        while not self.opened:
            await asyncio.sleep(0.005)
        return "facts at last"


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def model(gate: Gate) -> Scripted:
    return Scripted({"analyst": gate})


@pytest.fixture
def served(tmp_path: Path, model: Scripted) -> Iterator[Served]:
    with serve(application(tmp_path, model=model)) as running:
        yield running


def events_of(text: str) -> list[dict[str, Any]]:
    """The data of a whole stream; every frame is checked for its form."""
    events = []
    for frame in text.split("\n\n"):
        if not frame or frame.startswith(":"):
            continue
        match = re.fullmatch(r"id: (\d+)\nevent: (\S+)\ndata: (.+)", frame)
        assert match is not None, frame
        data = json.loads(match[3])
        assert (data["seq"], data["type"]) == (int(match[1]), match[2])
        events.append(data)
    return events


def test_a_stream_has_all_events_in_order_and_ends_with_the_answer(
    served: Served, gate: Gate
) -> None:
    gate.opened = True
    answer = served.client.post("/run", json=BODY, headers=SSE)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["vary"] == "Accept"
    assert answer.text.isascii()
    events = events_of(answer.text)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    kinds = [event["type"] for event in events]
    assert kinds[:2] == ["run.started", "step.started"]
    assert kinds[-2:] == ["step.completed", "run.completed"]
    assert "".join(event["text"] for event in events if event["type"] == "step.delta")
    assert {"seq", "run_id", "type", "time", "step"} <= set(events[1])
    assert len({event["run_id"] for event in events}) == 1
    assert events[-1]["answer"]["results"] == {"analyst": "facts at last"}


def test_the_first_events_come_while_the_model_still_thinks(served: Served, gate: Gate) -> None:
    with served.client.stream("POST", "/run", json=BODY, headers=SSE) as answer:
        text = ""
        chunks = answer.iter_text()
        while "step.started" not in text:
            text += next(chunks)
        assert "step.completed" not in text
        gate.opened = True
        text += "".join(chunks)
    assert events_of(text)[-1]["type"] == "run.completed"


def test_an_idle_stream_is_kept_open_by_comments(
    served: Served, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StreamResponse, "keep_alive", 0.02)
    with served.client.stream("POST", "/run", json=BODY, headers=SSE) as answer:
        text = ""
        chunks = answer.iter_text()
        while text.count(": still here\n\n") < 2:
            text += next(chunks)
        gate.opened = True
        text += "".join(chunks)
    assert events_of(text)[-1]["type"] == "run.completed"


def test_a_reader_that_leaves_cancels_its_run(served: Served, model: Scripted) -> None:
    with served.client.stream("POST", "/run", json=BODY, headers=SSE) as answer:
        next(answer.iter_text())
        served.until(lambda: bool(model.asked))
    served.until(lambda: model.cancelled == ["analyst"])
    served.until(lambda: served.service.executor.active == 0)


def test_a_waiter_that_leaves_cancels_its_run(served: Served, model: Scripted) -> None:
    text = json.dumps(BODY).encode()
    with socket.create_connection(("127.0.0.1", served.port), timeout=SECONDS) as client:
        client.sendall(
            b"POST /run HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n%s" % (len(text), text)
        )
        served.until(lambda: bool(model.asked))
    served.until(lambda: model.cancelled == ["analyst"])
    served.until(lambda: served.service.executor.active == 0)


def test_a_run_whose_client_left_is_continued_by_the_same_request(
    served: Served, gate: Gate, model: Scripted
) -> None:
    with served.client.stream("POST", "/run", json=BODY, headers=SSE) as answer:
        first = next(answer.iter_text())
    served.until(lambda: served.service.executor.active == 0)
    gate.opened = True
    again = served.client.post("/run", json=BODY).json()
    assert again["status"] == "success"
    assert again["run_id"] in first


def test_a_twin_of_a_running_request_is_409(served: Served, gate: Gate, model: Scripted) -> None:
    with served.client.stream("POST", "/run", json=BODY, headers=SSE) as answer:
        chunks = answer.iter_text()
        next(chunks)
        twin = served.client.post("/run", json=BODY)
        assert (twin.status_code, twin.json()["code"]) == (409, "run_in_progress")
        gate.opened = True
        assert "run.completed" in "".join(chunks)


def test_a_stopping_service_refuses_runs_and_ends_streams(tmp_path: Path) -> None:
    model = Scripted({"analyst": Gate()})
    settings = {"server": {"drain_seconds": 0.3}}
    app = application(tmp_path, model=model, settings=settings)
    with (
        serve(app) as served,
        httpx2.Client(base_url=served.client.base_url) as other,
        served.client.stream("POST", "/run", json=BODY, headers=SSE) as answer,
    ):
        chunks = answer.iter_text()
        text = next(chunks)
        served.server.should_exit = True
        served.until(lambda: served.service.executor.draining)
        refused = other.post("/run", json={**BODY, "story_id": "S-2"})
        ready = other.get("/health/ready")
        text += "".join(chunks)
    assert (refused.status_code, refused.json()["code"]) == (503, "draining")
    assert int(refused.headers["retry-after"]) > 0
    assert ready.status_code == 503
    last = events_of(text)[-1]
    assert last["type"] == "run.cancelled"
    assert last["answer"]["error"]["code"] == "cancelled"
    assert last["answer"]["error"]["retryable"] is True
    assert model.cancelled == ["analyst"]
