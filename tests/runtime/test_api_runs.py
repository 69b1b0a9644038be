"""`POST /run` and `POST /agent/{id}/run`: what they accept, answer and refuse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.runtime.errors import ModelError, ProviderUnavailable
from scripts.runtime.flow import Flow

from .agents import Scripted
from .api import Served, application, one, serve, two


@pytest.fixture
def model() -> Scripted:
    return Scripted({"analyst": "facts", "writer": "a story"})


@pytest.fixture
def served(tmp_path: Path, model: Scripted) -> Iterator[Served]:
    with serve(application(tmp_path, model=model)) as running:
        yield running


def test_a_run_answers_with_the_results_of_its_steps(served: Served) -> None:
    answer = served.run()
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["vary"] == "Accept"
    body = answer.json()
    assert body["status"] == "success"
    assert body["results"] == {"analyst": "facts"}
    assert set(body) == {
        "run_id",
        "status",
        "results",
        "pending_docs",
        "pending_gates",
        "error",
        "skipped",
        "usage",
        "duration_ms",
    }


def test_a_missing_document_makes_it_pending_and_giving_it_continues(
    served: Served, model: Scripted
) -> None:
    first = served.run(flow="two").json()
    assert (first["status"], first["pending_docs"]) == ("pending", ["S-1__prd"])
    written = served.client.put(
        "/doc/S-1__prd", content="# PRD", headers={"content-type": "text/markdown"}
    )
    assert written.status_code == 201
    second = served.run(flow="two").json()
    assert second["status"] == "success"
    assert second["run_id"] == first["run_id"]
    assert model.steps() == ["analyst", "writer"]


def test_documents_can_come_with_the_request(served: Served) -> None:
    answer = served.run(flow="two", documents={"prd.md": "# PRD"}).json()
    assert answer["status"] == "success"
    assert served.client.get("/doc/S-1__prd").text == "# PRD"
    assert served.client.get("/doc/S-1__story").text == "a story"


def test_a_failed_model_is_502_with_the_run_as_json(tmp_path: Path) -> None:
    model = Scripted({"analyst": ModelError("no such model", provider="scripted")})
    with serve(application(tmp_path, model=model)) as served:
        answer = served.run()
    assert answer.status_code == 502
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"]["code"] == "model_failed"
    assert answer.json()["error"]["step"] == "analyst"


BAD_BODIES: dict[str, tuple[dict[str, Any], int, str]] = {
    "input missing": ({"input": None}, 422, "invalid"),
    "input a number": ({"input": 5}, 422, "invalid"),
    "unknown field": ({"inptu": "x"}, 422, "invalid"),
    "fresh as text": ({"fresh": "true"}, 422, "invalid"),
    "documents a list": ({"documents": ["prd"]}, 422, "invalid"),
    "document a number": ({"documents": {"prd": 5}}, 422, "invalid"),
    "inputs a list": ({"inputs": []}, 422, "invalid"),
    "story with a slash": ({"story_id": "../x"}, 422, "invalid_name"),
    "story with two underscores": ({"story_id": "a__b"}, 422, "invalid_name"),
    "story with a newline": ({"story_id": "S-1\n"}, 422, "invalid_name"),
    "story empty": ({"story_id": ""}, 422, "invalid_name"),
    "story too long": ({"story_id": "a" * 101}, 422, "invalid_name"),
    "document outside": ({"documents": {"../prd": "x"}}, 422, "invalid_name"),
    "document twice": ({"documents": {"prd": "x", "prd.md": "y"}}, 422, "invalid"),
    "flow no name": ({"flow": "a b"}, 422, "invalid_name"),
    "flow unknown": ({"flow": "three"}, 404, "not_found"),
    "decision for nobody": ({"decision": {"gate": "g", "action": "a"}}, 409, "no_pending_gate"),
    "changed outside": ({"changed": ["../prd"]}, 422, "invalid_name"),
    "on_change unknown": ({"on_change": "ask"}, 422, "invalid"),
}


@pytest.mark.parametrize("fields, status, code", BAD_BODIES.values(), ids=BAD_BODIES)
def test_what_does_not_fit_is_a_problem(
    served: Served, model: Scripted, fields: dict[str, Any], status: int, code: str
) -> None:
    answer = served.run(**fields)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert answer.json()["instance"] == "/run"
    assert model.asked == []


def test_a_name_that_is_none_is_counted_and_not_repeated(served: Served) -> None:
    answer = served.run(documents={"prd": "x", "../secret": "y"})
    assert answer.json()["detail"].startswith("name 2 in documents should be at most 200 letters")
    assert "secret" not in answer.text
    answer = served.run(changed=["../secret"])
    assert answer.json()["detail"].startswith("name 1 in changed should be")


@pytest.mark.parametrize(
    ("path", "fields", "status", "hint"),
    [
        ("/run", {"flow": "onne"}, 404, "there is no flow 'onne' (did you mean one?)"),
        ("/run", {"flow": "wholly-other"}, 404, "there is no flow 'wholly-other'"),
        ("/agent/analist/run", {}, 404, "there is no agent 'analist' (did you mean analyst?)"),
        ("/memory/context", {"agent_id": "analist"}, 404, "(did you mean analyst?)"),
        ("/agent/analyst/run", {"command": "breif"}, 422, "(did you mean brief?)"),
        ("/run", {"flows": "one"}, 422, "body.flows: There is no such field (did you mean flow?)"),
        ("/run", {"wholly": 1}, 422, "body.wholly: There is no such field"),
        ("/run", {"decision": {"gate": "g", "action": "a", "visits": 1}}, 422, "no such field"),
        ("/agent/analyst/run", {"comand": "x"}, 422, "(did you mean command?)"),
        ("/memory/context", {"agent_id": "analyst", "limt": 3}, 422, "(did you mean limit?)"),
    ],
)
def test_an_unknown_name_gets_the_near_one(
    served: Served, path: str, fields: dict[str, Any], status: int, hint: str
) -> None:
    common = {"query": "x"} if path == "/memory/context" else {"input": "x", "story_id": "S-1"}
    answer = served.client.post(path, json={**common, **fields})
    assert answer.status_code == status
    assert answer.json()["detail"].endswith(hint)


@pytest.mark.parametrize("path", ["/flow/onne", "/flow/onne/graph", "/agent/analist"])
def test_so_does_one_that_is_read(served: Served, path: str) -> None:
    assert "(did you mean " in served.client.get(path).json()["detail"]


def test_a_validation_problem_names_the_fields_and_repeats_no_value(served: Served) -> None:
    answer = served.run(input={"key": "sk-secret"}, fresh="sk-secret")
    assert "sk-secret" not in answer.text
    fields = {error["field"] for error in answer.json()["errors"]}
    assert fields == {"body.input", "body.fresh"}


def test_without_a_flow_the_one_named_default_runs(tmp_path: Path, model: Scripted) -> None:
    flows = {"other": Flow("other", two), "default": Flow("default", one)}
    with serve(application(tmp_path, model=model, flows=flows)) as served:
        body = {"input": "x", "story_id": "S-1"}
        assert served.client.post("/run", json=body).json()["results"] == {"analyst": "facts"}


def test_without_a_flow_and_a_default_the_only_one_runs(tmp_path: Path, model: Scripted) -> None:
    with serve(application(tmp_path, model=model, flows={"sole": Flow("sole", one)})) as served:
        answer = served.client.post("/run", json={"input": "x", "story_id": "S-1"})
    assert answer.status_code == 200


def test_without_a_flow_among_several_the_names_are_listed(served: Served) -> None:
    answer = served.client.post("/run", json={"input": "x", "story_id": "S-1"})
    assert (answer.status_code, answer.json()["code"]) == (422, "flow_required")
    assert "one, two" in answer.json()["detail"]


ACCEPTS = {
    "*/*": "application/json",
    "application/*": "application/json",
    "text/event-stream": "text/event-stream; charset=utf-8",
    "text/*;q=0.5, application/json;q=0.1": "text/event-stream; charset=utf-8",
    "application/json, text/event-stream": "application/json",
    "text/event-stream;q=0, */*": "application/json",
}


@pytest.mark.parametrize("accept, kind", ACCEPTS.items(), ids=ACCEPTS)
def test_accept_chooses_between_json_and_events(served: Served, accept: str, kind: str) -> None:
    body = {"input": "x", "story_id": "S-1", "flow": "one"}
    answer = served.client.post("/run", json=body, headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)


def test_accept_of_something_else_is_406_and_runs_nothing(served: Served, model: Scripted) -> None:
    body = {"input": "x", "story_id": "S-1", "flow": "one"}
    answer = served.client.post("/run", json=body, headers={"accept": "image/png"})
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    assert model.asked == []


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=x"]
)
def test_a_body_that_is_not_declared_as_json_is_415(served: Served, kind: str) -> None:
    headers = {"content-type": kind} if kind else {}
    body = b'{"input": "x", "story_id": "S-1", "flow": "one"}'
    answer = served.client.post("/run", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_an_agent_runs_alone_with_a_command(served: Served, model: Scripted) -> None:
    body = {"input": "x", "story_id": "S-1", "command": "brief"}
    answer = served.client.post("/agent/analyst/run", json=body)
    assert answer.json()["results"] == {"analyst": "facts"}
    assert "Be brief." in model.asked[0].messages[0].content


@pytest.mark.parametrize(
    "path, fields, status, code",
    [
        ("/agent/analyst/run", {"command": "shout"}, 422, "command_unknown"),
        ("/agent/nobody/run", {}, 404, "not_found"),
        ("/agent/..%2f/run", {}, 404, "not_found"),
        ("/agent/a.b/run", {}, 422, "invalid_name"),
        ("/agent/analyst/run", {"flow": "one"}, 422, "invalid"),
    ],
)
def test_an_agent_run_that_does_not_fit(
    served: Served, path: str, fields: dict[str, Any], status: int, code: str
) -> None:
    answer = served.client.post(path, json={"input": "x", "story_id": "S-1", **fields})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_client_is_told_when_the_provider_is_asked_again(served: Served, model: Scripted) -> None:
    model.answers["analyst"] = ProviderUnavailable("down", provider="scripted", retry_after=130.2)
    answer = served.run()
    assert (answer.status_code, answer.json()["error"]["retryable"]) == (503, True)
    assert answer.headers["retry-after"] == "131"
