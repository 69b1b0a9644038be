"""Providers that fail, through a real service and the real SDKs: what a client gets to know of it.

Each time the step before is kept, no secret is told, and nothing is left over in the process.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from tests import faulty
from tests.faulty import KEY
from tests.stand_in import StandIn
from tests.wired import EVENTS, Wired, answers, fixture

ENDLESS = {"toolCalls": [{"name": "raises", "arguments": {}}]}


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left_over(wired_services: Sequence[Wired], aimock_server: StandIn) -> Iterator[None]:
    """In the end each process has the tasks and open files that it had before all this."""
    aimock_server.load(answers())
    before = []
    for each in wired_services:
        assert replace(each, story="before").post("breaks").status_code == 200
        before.append(each.settle())
    yield
    assert [each.settle() for each in wired_services] == before
    for each in wired_services:
        assert "Traceback" not in each.service.log
        assert KEY not in each.service.log


@pytest.fixture(autouse=True)
def the_process_is_well(wired: Wired) -> Iterator[None]:
    yield
    assert wired.service.client.get("/health/ready").status_code == 200
    assert wired.service.returncode is None


def error_of(wired: Wired, answer: httpx2.Response, code: str, step: str) -> dict[str, Any]:
    """The error of a run whose step before was kept; the same request goes on behind it."""
    assert KEY not in answer.text
    body = answer.json()
    assert (body["status"], body["error"]["code"]) == ("error", code), body
    assert body["results"] == {"first": "Some Markdown."}
    error: dict[str, Any] = body["error"]
    assert error["step"] == step
    assert 0 < len(error["message"]) < 700
    wired.aimock.load(answers(fixture("shaped", '["a"]')))
    wired.faulty.does()
    done = wired.post(step).json()
    assert (done["status"], done["run_id"]) == ("success", body["run_id"])
    assert wired.asked() == [step, "last"]
    return error


def fails(status: int, message: str = "no such thing", **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "error"}, "status": status, **more}


@pytest.mark.parametrize("status", [400, 401, 404, 500, 503])
def test_a_refusal_is_told_in_the_providers_words(wired: Wired, status: int) -> None:
    said = f"no such thing for {KEY}"
    wired.aimock.load(answers(fixture("breaks", fails(status, said))))
    answer = wired.post("breaks")
    assert answer.status_code == 502
    error = error_of(wired, answer, "model_failed", "breaks")
    assert error["message"].startswith(f"{wired.provider} answered {status}: no such thing for")
    assert error["retryable"] is (status >= 500)
    assert error["attempts"] == 1


@pytest.mark.parametrize("after", [None, 0])
def test_too_many_requests(wired: Wired, after: int | None) -> None:
    more = {} if after is None else {"retryAfter": after}
    wired.aimock.load(answers(fixture("breaks", fails(429, "slow down", **more))))
    answer = wired.post("breaks")
    assert answer.status_code == 502
    assert error_of(wired, answer, "model_rate_limited", "breaks")["retryable"]


def test_what_passes_is_tried_again(wired: Wired) -> None:
    busy = fixture("again", fails(429, "slow down", retryAfter=0), sequenceIndex=0)
    wired.aimock.load(answers(busy))
    events = wired.stream("again")
    assert events[-1]["answer"]["status"] == "success"
    retrying = [event for event in events if event["type"] == "step.retrying"]
    assert [(event["step"], event["attempt"]) for event in retrying] == [("again", 1)]
    assert wired.asked() == ["first", "again", "again", "last"]


def test_attempts_are_bounded_and_counted(wired: Wired) -> None:
    wired.aimock.load(answers(fixture("again", fails(429, "slow down", retryAfter=0))))
    answer = wired.post("again")
    assert wired.asked() == ["first", "again", "again"]
    assert error_of(wired, answer, "model_rate_limited", "again")["attempts"] == 2


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_provider_that_says_nothing(wired: Wired, *, stream: bool) -> None:
    wired.aimock.load(answers())
    wired.faulty.does(faulty.answer, faulty.hang)
    answer = whole(wired, "late", stream=stream)
    assert answer.status_code == 504
    assert error_of(wired, answer, "model_timeout", "late")["retryable"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_provider_that_never_gets_to_the_point(wired: Wired, *, stream: bool) -> None:
    wired.aimock.load(answers())
    wired.faulty.does(faulty.answer, faulty.trickle)
    answer = whole(wired, "late", stream=stream)
    assert answer.status_code == 504
    error_of(wired, answer, "model_timeout", "late")


def test_a_stream_that_stops_in_the_middle(wired: Wired) -> None:
    wired.aimock.load(answers(fixture("late", "word " * 50)))
    wired.faulty.does(faulty.answer, faulty.hang_inside)
    answer = whole(wired, "late", stream=True)
    assert answer.status_code == 504
    error_of(wired, answer, "model_timeout", "late")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    "deed",
    [
        faulty.close,
        faulty.cut,
        faulty.garbage(b"\x00\xff\xfe"),
        faulty.garbage(b'{"choices": 5, "content": 5, "candidates": 5}'),
        faulty.garbage(b"data: {}\n\ndata: [1\n\n", "text/event-stream"),
    ],
    ids=["closed", "cut", "bytes", "json", "events"],
)
def test_an_answer_that_is_none(wired: Wired, deed: faulty.Deed, *, stream: bool) -> None:
    wired.aimock.load(answers(fixture("breaks", "word " * 50)))
    if deed is faulty.cut and not stream:
        deed = faulty.garbage(b'{"choices": [{"index": 0, "mess')
    wired.faulty.does(faulty.answer, deed)
    answer = whole(wired, "breaks", stream=stream)
    assert answer.status_code == 502
    assert error_of(wired, answer, "model_failed", "breaks")["retryable"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_empty_answer(wired: Wired, *, stream: bool) -> None:
    wired.aimock.load(answers(fixture("breaks", " ")))
    answer = whole(wired, "breaks", stream=stream)
    assert answer.status_code == 502
    assert "empty" in error_of(wired, answer, "model_failed", "breaks")["message"]


def test_json_that_does_not_fit_is_bounded_and_counted(wired: Wired) -> None:
    wired.aimock.load(answers(fixture("shaped", '{"title": 5}')))
    answer = wired.post("shaped")
    assert answer.status_code == 502
    assert answer.json()["usage"]["calls"] == 4
    assert error_of(wired, answer, "output_invalid", "shaped")["attempts"] == 3


def test_tool_calls_without_end_are_bounded_and_counted(wired: Wired) -> None:
    wired.aimock.load(answers(fixture("handy", ENDLESS)))
    answer = wired.post("handy")
    assert answer.status_code == 500
    assert answer.json()["usage"]["calls"] == 12
    message = error_of(wired, answer, "tool_failed", "handy")["message"]
    assert "more than 10 rounds" in message


@pytest.mark.parametrize(
    "tool, told",
    [
        ("raises", "Error: ZeroDivisionError: on purpose"),
        ("hangs", "Error: took longer than 1 seconds"),
        ("blocks", "Error: took longer than 1 seconds"),
        ("huge", "more characters were cut"),
        ("odd", "?"),
        ("leaves", "Error: SystemExit: 3"),
        ("absent", "there is no tool"),
    ],
)
def test_a_tool_that_fails_is_told_to_the_model(wired: Wired, tool: str, told: str) -> None:
    calls = {"toolCalls": [{"name": tool, "arguments": {}}]}
    wired.aimock.load(
        answers(fixture("handy", "I see.", hasToolResult=True), fixture("handy", calls))
    )
    events = wired.stream("handy")
    assert events[-1]["answer"]["results"]["handy"] == "I see."
    sent = wired.faulty.calls[2].decode()
    assert told in sent
    assert len(sent) < 120_000
    happened = [event for event in events if event["type"] == "step.tool"]
    is_error = told.startswith("Error") or tool == "absent"
    assert [event["status"] for event in happened] == ["error" if is_error else "ok"]


def test_a_client_that_leaves_stops_the_call_and_no_other_is_made(wired: Wired) -> None:
    wired.faulty.does(faulty.answer, faulty.hang_inside)
    wired.aimock.load(answers(fixture("breaks", "word " * 50)))
    body = {"flow": "breaks", "input": "an idea", "story_id": wired.story}
    client = wired.service.client
    with client.stream("POST", "/run", json=body, headers=EVENTS) as answer:
        for piece in answer.iter_text():
            if '"step":"breaks","text"' in piece:
                break
    wired.settle()
    assert len(wired.faulty.calls) == 2
    assert wired.asked() == ["first", "breaks"]


def test_a_client_that_does_not_wait_stops_the_call_too(wired: Wired) -> None:
    wired.aimock.load(answers())
    wired.faulty.does(faulty.answer, faulty.hang)
    body = json.dumps({"flow": "breaks", "input": "an idea", "story_id": wired.story}).encode()
    head = f"POST /run HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", wired.service.port)) as client:
        client.sendall(f"{head}content-type: application/json\r\n\r\n".encode() + body)
        wired.service.wait_until(lambda: len(wired.faulty.calls) == 2)
        assert wired.measured()["bmad_runs_active"] == 1
    wired.settle()
    assert len(wired.faulty.calls) == 2
    wired.faulty.does()
    done = wired.post("breaks").json()
    assert done["status"] == "success"
    assert wired.asked() == ["first", "breaks", "last"]


def whole(wired: Wired, flow: str, *, stream: bool) -> httpx2.Response:
    """The answer of a run; of one that is followed, its status is that of the same run again."""
    if not stream:
        return wired.post(flow)
    answer = wired.stream(flow)[-1]["answer"]
    status = {"model_timeout": 504, "model_failed": 502}[answer["error"]["code"]]
    return httpx2.Response(status, json=answer)
