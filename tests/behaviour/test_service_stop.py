"""Stopping runs of a real service: what is asked of the model, what is kept, what goes on."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.conftest import MakeProject, StartService
from tests.project import Project
from tests.service import Service
from tests.stand_in import StandIn

STEPS = ("first", "second", "third")
FILES = {f"agents/{name}.md": f"---\nid: {name}\n---\nThis is the {name} step.\n" for name in STEPS}
FILES["workflow.yaml"] = "flows:\n  default:\n    sequence: [first, second, third]\n"
BODY = {"input": "an idea", "story_id": "S-1"}
EVENTS = {"accept": "text/event-stream"}


@pytest.fixture
def compiled(project: MakeProject) -> Project:
    made = project(FILES)
    made.generate()
    return made


def fixtures(slow: str | None) -> list[dict[str, Any]]:
    """Every step answers at once, but `slow` writes its answer for minutes."""
    found: list[dict[str, Any]] = []
    if slow is not None:
        match = {"systemMessage": f"the {slow} step"}
        content = f"{slow} " * 500
        found.append(
            {"match": match, "response": {"content": content}, "latency": 500, "chunkSize": 5}
        )
    return [*found, {"match": {}, "response": {"content": "An answer."}}]


@pytest.fixture
def slow(aimock: StandIn) -> Iterator[StandIn]:
    """A stand-in that may be told to wait before each answer."""
    yield aimock
    httpx2.delete(f"{aimock.base_url}/__aimock/chaos", trust_env=False).raise_for_status()


def delay(aimock: StandIn, milliseconds: int) -> None:
    """Before each answer, streamed or not. A client that leaves meanwhile is not in the journal."""
    url = f"{aimock.base_url}/__aimock/chaos"
    httpx2.post(url, json={"latencyMs": milliseconds}, trust_env=False).raise_for_status()


def asked(aimock: StandIn) -> list[str]:
    """The steps that were asked of the model, in order."""
    found = []
    for entry in aimock.journal():
        text = json.dumps(entry["body"]["messages"])
        found.append(next(name for name in STEPS if f"the {name} step" in text))
    return found


def lines(running: Service, message: str) -> list[dict[str, Any]]:
    """The lines of the log that say so."""
    texts = [text for text in running.log.splitlines() if text.startswith("{")]
    return [line for line in map(json.loads, texts) if line["message"] == message]


def ended(running: Service, message: str) -> None:
    running.wait_until(lambda: lines(running, message) != [])


def read_until(pieces: Iterator[str], mark: str) -> str:
    text = ""
    for piece in pieces:
        text += piece
        if mark in text:
            return text
    raise AssertionError(f"the stream ended without {mark}:\n{text}")


def goes_on(running: Service, aimock: StandIn, text: str, project: Project) -> None:
    """The same request finishes the run, and asks nothing that was finished."""
    aimock.load(fixtures(None))
    done = running.run("an idea")
    assert (done.status_code, done.json()["status"]) == (200, "success")
    assert done.json()["run_id"] in text
    assert list(done.json()["results"]) == list(STEPS)
    assert done.json()["usage"]["calls"] == 3
    assert asked(aimock) == ["second", "third"]
    assert list((project.root / "memory" / "runs").iterdir()) == []


def test_a_client_that_leaves_a_stream_stops_its_run(
    compiled: Project, service: StartService, aimock: StandIn
) -> None:
    aimock.load(fixtures("second"))
    running = service(compiled.root, aimock.environment)
    with running.client.stream("POST", "/run", json=BODY, headers=EVENTS) as answer:
        text = read_until(answer.iter_text(), '"text":"secon')
    ended(running, "run.cancelled")
    assert asked(aimock) == ["first", "second"]
    goes_on(running, aimock, text, compiled)
    assert "Traceback" not in running.log


def test_a_client_that_waits_no_longer_stops_its_run(
    compiled: Project, service: StartService, slow: StandIn
) -> None:
    slow.load(fixtures(None))
    running = service(compiled.root, slow.environment)
    delay(slow, 1_500)
    with pytest.raises(httpx2.ReadTimeout):
        running.client.post("/run", json=BODY, timeout=2.5)
    ended(running, "run.cancelled")
    before = asked(slow)
    assert before in (["first"], [])
    delay(slow, 0)
    slow.load(fixtures(None))
    done = running.run("an idea").json()
    assert done["status"] == "success"
    assert [*before, *asked(slow)] == list(STEPS)


def test_the_time_limit_of_a_run_stops_it(
    compiled: Project, service: StartService, aimock: StandIn
) -> None:
    compiled.write({"runtime.yaml": "runs: {timeout: 3}\n"}, under="config")
    aimock.load(fixtures("second"))
    running = service(compiled.root, aimock.environment)
    text = running.client.post("/run", json=BODY, headers=EVENTS).text
    answer = json.loads(text.rstrip().rpartition("data: ")[2])["answer"]
    assert answer["error"]["code"] == "run_timeout"
    assert list(answer["results"]) == ["first"]
    assert asked(aimock) == ["first", "second"]
    goes_on(running, aimock, text, compiled)


def test_a_stopped_service_asks_nothing_more_and_the_next_one_goes_on(
    compiled: Project, service: StartService, aimock: StandIn
) -> None:
    compiled.write({"runtime.yaml": "server: {drain_seconds: 0.2}\n"}, under="config")
    aimock.load(fixtures("second"))
    running = service(compiled.root, aimock.environment)
    with running.client.stream("POST", "/run", json=BODY, headers=EVENTS) as answer:
        pieces = answer.iter_text()
        text = read_until(pieces, '"text":"secon')
        running.signal(signal.SIGTERM)
        assert "event: run.cancelled" in "".join(pieces)
    assert running.wait() == 0
    assert asked(aimock) == ["first", "second"]
    goes_on(service(compiled.root, aimock.environment), aimock, text, compiled)


def test_a_killed_service_goes_on_when_it_is_started_again(
    compiled: Project, service: StartService, aimock: StandIn
) -> None:
    aimock.load(fixtures("second"))
    running = service(compiled.root, aimock.environment)
    with running.client.stream("POST", "/run", json=BODY, headers=EVENTS) as answer:
        text = read_until(answer.iter_text(), '"text":"secon')
        running.kill()
    goes_on(service(compiled.root, aimock.environment), aimock, text, compiled)


def test_sources_that_changed_meanwhile_are_named(
    compiled: Project, service: StartService, aimock: StandIn
) -> None:
    aimock.load(fixtures("second"))
    running = service(compiled.root, aimock.environment)
    with running.client.stream("POST", "/run", json=BODY, headers=EVENTS) as answer:
        text = read_until(answer.iter_text(), '"text":"secon')
    ended(running, "run.cancelled")
    running.stop()
    compiled.write({"agents/third.md": "---\nid: third\n---\nThis is the third step, now.\n"})
    compiled.generate()
    running = service(compiled.root, aimock.environment)
    aimock.load(fixtures(None))
    refused = running.run("an idea")
    assert (refused.status_code, refused.json()["code"]) == (409, "sources_changed")
    assert refused.json()["changed"] == ["bmad/agents/third.md"]
    assert asked(aimock) == []
    done = running.run("an idea", on_change="continue")
    assert done.json()["run_id"] in text
    assert asked(aimock) == ["second", "third"]


def test_the_same_key_twice_runs_once(
    compiled: Project, service: StartService, aimock: StandIn
) -> None:
    aimock.load(fixtures(None))
    running = service(compiled.root, aimock.environment)
    answers: list[httpx2.Response] = []

    def post() -> None:
        with httpx2.Client(base_url=running.base_url, timeout=60, trust_env=False) as client:
            answers.append(client.post("/run", json=BODY, headers={"idempotency-key": "k"}))

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = {answer.status_code for answer in answers}
    assert codes <= {200, 409}
    bodies = {answer.content for answer in answers if answer.status_code == 200}
    assert len(bodies) == 1
    assert asked(aimock) == list(STEPS)


@pytest.mark.parametrize(("size", "status"), [(9_900_000, 200), (10_000_001, 413)])
def test_large_inputs_are_cut_or_refused(
    compiled: Project, service: StartService, aimock: StandIn, size: int, status: int
) -> None:
    aimock.load(fixtures(None))
    running = service(compiled.root, aimock.environment)
    answer = running.run("x" * size)
    assert answer.status_code == status
    assert running.client.get("/health").status_code == 200
    assert "Traceback" not in running.log
    if status == 200:
        assert all(len(json.dumps(entry["body"])) < 500_000 for entry in aimock.journal())
