"""Faults of ours and of the stores: problems that show nothing of the inside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from scripts.runtime.errors import StoreError

from .api import application, serve

CANARY = "canary-of-the-inside"


class Broken:
    """A store that raises whatever the test gives it."""

    backend = "broken"

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def list(self, *_: Any, **__: Any) -> Any:
        raise self.error

    async def close(self) -> None:
        return


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    return application(tmp_path, settings={"log_level": "info"})


def break_documents(app: FastAPI, error: Exception) -> None:
    object.__setattr__(app.state.service.services, "documents", Broken(error))


def test_an_unforeseen_fault_is_500_and_shows_nothing(
    app: FastAPI, capsys: pytest.CaptureFixture[str]
) -> None:
    break_documents(app, ZeroDivisionError(CANARY))
    with serve(app) as served:
        answer = served.client.get("/doc", headers={"x-request-id": "request-7"})
        assert served.client.get("/agent").status_code == 200
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == "request-7"
    assert answer.json()["code"] == "internal_error"
    written = capsys.readouterr().err
    assert CANARY not in answer.text + written
    fault = next(line for line in written.splitlines() if "ZeroDivisionError" in line)
    assert "request-7" in fault
    assert "test_api_problems.py" in fault


def test_a_route_that_is_not_there_says_where_routes_are_told(app: FastAPI) -> None:
    with serve(app) as served:
        answers = [served.client.get(path) for path in ("/", "/memory", "/doc/a/b/c")]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert "/docs" in answer.json()["detail"]


@pytest.mark.parametrize("status", [500, 503, 507])
def test_a_store_without_room_or_reach_says_so(
    app: FastAPI, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    break_documents(app, StoreError("there is no room", store="documents", status=status))
    with serve(app) as served:
        answer = served.client.get("/doc")
    assert answer.status_code == status
    assert answer.json()["code"] == "store_failed"
    assert answer.json()["detail"] == "there is no room"
    assert ("retry-after" in answer.headers) == (status == 503)
    written = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    levels = {line["level"] for line in written if line.get("code") == "store_failed"}
    assert levels == ({"warning"} if status == 503 else {"error"})
    assert ("test_api_problems.py" in str(written)) == (status != 503), "the calls that led there"


def test_configured_origins_may_call_from_a_browser(tmp_path: Path) -> None:
    origin = "https://app.example.com"
    settings = {"server": {"cors_origins": [origin]}, "secrets": {"api_keys": "a:key"}}
    preflight = {"access-control-request-method": "POST", "origin": origin}
    with serve(application(tmp_path, settings=settings)) as served:
        allowed = served.client.options("/run", headers=preflight)
        others = [
            served.client.options("/run", headers={**preflight, "origin": other})
            for other in ("null", "http://app.example.com", f"{origin}.attacker.example")
        ]
        real = served.client.get("/agent", headers={"origin": origin, "x-api-key": "key"})
    assert allowed.headers["access-control-allow-origin"] == origin
    assert real.headers["access-control-allow-origin"] == origin
    assert "access-control-allow-credentials" not in real.headers
    assert all("access-control-allow-origin" not in other.headers for other in others)


def test_a_page_can_read_every_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = "https://app.example.com"
    app = application(tmp_path, settings={"server": {"cors_origins": [origin], "max_body": 1000}})
    body = {"input": "an idea", "story_id": "S-1", "flow": "one"}

    def broken(request: object) -> None:
        raise ValueError

    with serve(app, headers={"origin": origin}) as served:
        client = served.client
        answers = [
            client.post("/run", json={**body, "input": "x" * 2000}),
            client.get("/agent", headers={f"x-{number}": "y" for number in range(101)}),
            client.get("/agent", headers={"content-encoding": "gzip"}),
            client.get(f"/agent?{'q' * 9000}"),
        ]
        monkeypatch.setattr(served.service, "start", broken)
        answers.append(client.post("/run", json=body))
        served.service.executor.draining = True
        monkeypatch.undo()
        answers.append(client.post("/run", json=body))
    assert [answer.status_code for answer in answers] == [413, 431, 415, 414, 500, 503]
    assert {answer.headers.get("access-control-allow-origin") for answer in answers} == {origin}


def test_a_stream_allows_the_origin_that_asks_and_nobody_after_it(tmp_path: Path) -> None:
    allowed = ("https://one.example.com", "https://two.example.com")
    body = {"input": "an idea", "story_id": "S-1", "flow": "one"}
    with serve(application(tmp_path, settings={"server": {"cors_origins": allowed}})) as served:
        answers = [
            served.client.post("/run", json=body, headers={"accept": accept, **headers})
            for accept in ("text/event-stream", "application/json")
            for headers in ({"origin": allowed[0]}, {"origin": "https://other.example.com"}, {})
        ]
    assert [answer.headers.get("access-control-allow-origin") for answer in answers] == [
        *(allowed[0], None, None) * 2
    ]
    assert {answer.headers["vary"] for answer in answers} == {"Accept, Origin"}


def test_no_origin_is_allowed_unless_configured(app: FastAPI) -> None:
    headers = {"access-control-request-method": "POST", "origin": "https://app.example.com"}
    with serve(app) as served:
        answer = served.client.options("/run", headers=headers)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]
