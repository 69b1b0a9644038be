"""The OpenAPI document and the page made of it."""

from __future__ import annotations

import json
import re
import shlex
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator

from scripts.runtime.api.docs_page import page

from .api import application, serve
from .test_api_auth import all_routes

OPERATIONS = {
    "start_run": "POST /run",
    "list_documents": "GET /doc",
    "read_document": "GET /doc/{id}",
    "write_document": "PUT /doc/{id}",
    "delete_document": "DELETE /doc/{id}",
    "document_status": "GET /doc/{id}/status",
    "ask_memory": "POST /memory/context",
    "document_revisions": "GET /doc/{id}/revisions",
    "document_diff": "GET /doc/{id}/diff",
    "read_scope": "GET /memory/{scope}",
    "read_memory": "GET /memory/{scope}/{key}",
    "write_memory": "PUT /memory/{scope}/{key}",
    "delete_memory": "DELETE /memory/{scope}/{key}",
    "list_agents": "GET /agent",
    "read_agent": "GET /agent/{id}",
    "agent_ready": "GET /agent/{id}/ready",
    "run_agent": "POST /agent/{id}/run",
    "list_flows": "GET /flow",
    "read_flow": "GET /flow/{name}",
    "flow_graph": "GET /flow/{name}/graph",
    "health": "GET /health",
    "live": "GET /health/live",
    "ready": "GET /health/ready",
    "startup": "GET /health/startup",
    "metrics": "GET /metrics",
}
HIDDEN = {"GET /doc/", "GET /docs", "GET /openapi.json", "HEAD /openapi.json"}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return application(tmp_path_factory.mktemp("openapi"))


@pytest.fixture(scope="module")
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (verb, path, operation)
        for path, verbs in document["paths"].items()
        for verb, operation in verbs.items()
    ]


def test_operation_ids_are_stable(document: dict[str, Any]) -> None:
    found = {
        operation["operationId"]: f"{verb.upper()} {path}"
        for verb, path, operation in operations(document)
    }
    assert found == OPERATIONS


def test_every_route_is_documented(app: FastAPI) -> None:
    routes = {f"{method} {path}" for method, path in all_routes(app)}
    assert routes == set(OPERATIONS.values()) | HIDDEN


def test_every_operation_says_what_it_does_and_answers(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    for verb, path, operation in operations(document):
        where = f"{verb} {path}"
        assert operation["description"], where
        assert set(operation["tags"]) <= tags, where
        assert operation["tags"], where
        assert "500" in operation["responses"], where
        if "{" in path and path != "/memory/{scope}":
            assert {"404", "422"} & set(operation["responses"]), where
        if not path.startswith("/health"):
            assert operation["security"], where
            assert "401" in operation["responses"], where


@pytest.mark.parametrize("path", ["/run", "/agent/{id}/run"])
def test_whatever_becomes_of_a_run_is_documented(document: dict[str, Any], path: str) -> None:
    answers = set(document["paths"][path]["post"]["responses"])
    refused = {400, 401, 403, 404, 406, 409, 413, 414, 415, 422, 431}
    assert answers == {str(each) for each in {200, 402, 500, 502, 503, 504, 507} | refused}


def test_a_store_that_cannot_be_reached_is_documented(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        if path.startswith(("/memory", "/doc")):
            assert "503" in operation["responses"], path


def test_problems_are_documented_as_problems(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    assert "HTTPValidationError" not in text
    for _, path, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400 and not path.startswith("/health/"):
                assert "application/problem+json" in response["content"], (path, status)


def test_all_references_lead_somewhere(document: dict[str, Any]) -> None:
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert names <= set(document["components"]["schemas"])
    assert "RunBody" in names


def test_answers_fit_their_schemas(tmp_path: Path) -> None:
    with serve(application(tmp_path)) as served:
        client = served.client
        document = client.get("/openapi.json").json()
        run = served.run(story_id="S-2")
        client.put("/doc/prd", content=b"x", headers={"content-type": "text/markdown"})
        client.put("/memory/shared:a/b", json=[1])
        answers = {
            ("post", "/run", "200"): run,
            ("post", "/run", "422"): served.run(input=5),
            ("get", "/doc", "200"): client.get("/doc"),
            ("get", "/doc/{id}/status", "200"): client.get("/doc/prd/status"),
            ("get", "/memory/{scope}", "200"): client.get("/memory/shared:a"),
            ("get", "/memory/{scope}/{key}", "200"): client.get("/memory/shared:a/b?history=1"),
            ("post", "/memory/context", "200"): client.post(
                "/memory/context", json={"agent_id": "analyst", "query": "idea"}
            ),
            ("get", "/agent", "200"): client.get("/agent"),
            ("get", "/agent/{id}/ready", "200"): client.get("/agent/analyst/ready"),
            ("get", "/agent/{id}", "404"): client.get("/agent/absent"),
            ("get", "/flow", "200"): client.get("/flow"),
            ("get", "/flow/{name}/graph", "200"): client.get(
                "/flow/one/graph", headers={"accept": "application/json"}
            ),
            ("get", "/health", "200"): client.get("/health"),
            ("get", "/health/ready", "200"): client.get("/health/ready"),
        }
    for (verb, path, status), answer in answers.items():
        assert str(answer.status_code) == status, path
        kind = answer.headers["content-type"].partition(";")[0]
        content = document["paths"][path][verb]["responses"][status]["content"]
        schema = {**content[kind]["schema"], "components": document["components"]}
        Draft202012Validator(schema).validate(answer.json())


NAMES = {"Agents": ["analyst", "writer"], "Flows": ["one"]}
ADDRESS = "http://127.0.0.1:8000"


class Page(HTMLParser):
    """What a browser would load and show."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Page:
    found = Page()
    found.feed(html)
    return found


def test_the_page_works_offline(document: dict[str, Any]) -> None:
    found = read(page(document, NAMES, ADDRESS))
    assert found.links == ["openapi.json"]
    assert not {"script", "link", "img", "iframe"} & set(found.tags)
    for name, operation in OPERATIONS.items():
        assert operation.partition(" ")[2] in found.text, name


def test_the_page_names_agents_flows_and_a_request_for_each(document: dict[str, Any]) -> None:
    found = read(page(document, NAMES, ADDRESS))
    assert "analyst, writer" in found.text
    assert found.text.count("Try it") == len(OPERATIONS)
    run = next(
        line for line in found.text.split("Try it") if line.startswith(f"curl {ADDRESS}/run")
    )
    body = shlex.split(run.partition("}'")[0] + "}'")[-1]
    assert json.loads(body)["story_id"] == "S-1"
    assert f"curl -X DELETE '{ADDRESS}/doc/{{id}}'" in found.text


def test_the_page_shows_backticks_as_code(document: dict[str, Any]) -> None:
    html = page(document, NAMES, ADDRESS)
    assert "<code>created_at</code>" in html
    assert "`" not in read(html).text


def test_the_page_shows_hostile_texts_as_texts() -> None:
    hostile = "</style><script>alert(1)</script>\"'&"
    operation = {
        "tags": [hostile],
        "operationId": hostile,
        "summary": hostile,
        "parameters": [{"name": hostile, "in": "path", "description": hostile}],
        "requestBody": {"content": {hostile: {"schema": {}, "example": hostile}}},
        "responses": {"200": {"description": hostile}},
    }
    document = {
        "info": {"title": hostile, "version": hostile, "description": hostile},
        "tags": [{"name": hostile, "description": hostile}],
        "paths": {hostile: {"get": operation}},
    }
    found = read(page(document, {hostile: [hostile]}, hostile))
    assert "script" not in found.tags
    assert found.text.count(hostile) >= 8
