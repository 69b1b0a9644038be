"""`Idempotency-Key`: the first final answer again, and nothing run twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from scripts.runtime.api.idempotency import Replays
from scripts.runtime.errors import ModelError

from .agents import Scripted
from .api import Served, application, serve

KEY = {"idempotency-key": "key-1"}


@pytest.fixture
def model() -> Scripted:
    return Scripted({"analyst": ["first", "second", "third"], "writer": "a story"})


@pytest.fixture
def served(tmp_path: Path, model: Scripted) -> Iterator[Served]:
    with serve(application(tmp_path, model=model)) as running:
        yield running


def post(served: Served, headers: dict[str, str] = KEY, **fields: Any) -> httpx2.Response:
    body = {"input": "an idea", "story_id": "S-1", "flow": "one", **fields}
    return served.client.post("/run", json=body, headers=headers)


def test_the_same_key_and_body_get_the_first_answer(served: Served, model: Scripted) -> None:
    first, again = post(served), post(served)
    assert first.json()["results"] == {"analyst": "first"}
    assert again.content == first.content
    assert len(model.asked) == 1
    assert post(served, {}).json()["results"] == {"analyst": "second"}


def test_the_answer_is_also_given_as_events(served: Served, model: Scripted) -> None:
    first = post(served).json()
    stream = post(served, {**KEY, "accept": "text/event-stream"})
    assert stream.text.rstrip().splitlines()[-2] == "event: run.completed"
    assert first["run_id"] in stream.text
    assert len(model.asked) == 1


def test_another_body_with_the_key_is_422(served: Served, model: Scripted) -> None:
    post(served)
    other = post(served, input="another idea")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len(model.asked) == 1


def test_a_key_counts_for_an_agent_alone_too(served: Served, model: Scripted) -> None:
    body = {"input": "an idea", "story_id": "S-1"}
    first, again = (
        served.client.post("/agent/analyst/run", json=body, headers=KEY) for _ in range(2)
    )
    assert again.content == first.content
    assert len(model.asked) == 1
    other = served.client.post("/agent/writer/run", json=body, headers=KEY)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_a_pending_run_is_continued_not_replayed(served: Served, model: Scripted) -> None:
    pending = post(served, flow="two")
    assert pending.json()["status"] == "pending"
    served.client.put("/doc/prd", content=b"x", headers={"content-type": "text/markdown"})
    done = post(served, flow="two")
    assert done.json()["status"] == "success"
    assert post(served, flow="two").content == done.content
    assert model.steps() == ["analyst", "writer"]


def test_a_failed_run_is_final(tmp_path: Path) -> None:
    model = Scripted({"analyst": [ModelError("no", provider="scripted"), "fine"]})
    with serve(application(tmp_path, model=model)) as served:
        first, again = post(served), post(served)
    assert first.status_code == again.status_code == 502
    assert again.content == first.content
    assert len(model.asked) == 1


def test_a_refused_request_does_not_use_the_key(served: Served) -> None:
    assert post(served, flow="absent").status_code == 404
    assert post(served).status_code == 200


def test_a_key_in_use_is_409(tmp_path: Path) -> None:
    opened = False

    async def slow(request: object) -> str:
        while not opened:
            await asyncio.sleep(0.005)
        return "late"

    body = {"input": "an idea", "story_id": "S-1", "flow": "one"}
    headers = {**KEY, "accept": "text/event-stream"}
    with (
        serve(application(tmp_path, model=Scripted({"analyst": slow}))) as served,
        served.client.stream("POST", "/run", json=body, headers=headers) as answer,
    ):
        chunks = answer.iter_text()
        next(chunks)
        twin = post(served)
        assert (twin.status_code, twin.json()["code"]) == (409, "idempotency_key_in_use")
        opened = True
        assert "run.completed" in "".join(chunks)
        served.until(lambda: post(served).status_code == 200)


@pytest.mark.parametrize("key", ["", "a b", "ü".encode(), "x" * 256])
def test_a_key_that_does_not_fit_is_422(served: Served, key: str) -> None:
    answer = post(served, {"idempotency-key": key})
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_invalid")


def test_only_the_most_recent_keys_are_kept() -> None:
    replays = Replays(size=3)
    for number in range(10):
        claim = replays.claim("", f"key-{number}", b"body")
        claim.busy = False
    assert len(replays._claims) <= 3
    assert replays.claim("", "key-0", b"other").run is None


def test_callers_do_not_share_keys() -> None:
    replays = Replays()
    replays.claim("one", "key", b"body")
    assert replays.claim("other", "key", b"another body").run is None
