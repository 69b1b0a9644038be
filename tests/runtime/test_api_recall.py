"""Categories, and what fits a question, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from scripts.runtime.flow import Flow

from .agents import agent, chain
from .api import Analyst, Served, Writer, application, serve

Critic = agent("critic", memory_scope="shared:reviews")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    def build() -> Any:
        return chain(Analyst(), Critic(), Writer(memory_scope="shared:drafts"))

    app = application(
        tmp_path_factory.mktemp("recall"),
        agents=(Analyst, Writer, Critic),
        flows={"default": Flow("default", build)},
    )
    with serve(app) as running:
        for scope in (
            "analyst:S-1",
            "analyst:S-2",
            "writer:S-1",
            "shared:reviews",
            "shared:drafts",
        ):
            value = f"a fox in {scope.replace(':', ' ')}"
            assert running.client.put(f"/memory/{scope}/note", json=value).status_code == 200
        yield running


def scopes(served: Served, **fields: Any) -> set[str]:
    answer = served.client.post("/memory/context", json={"query": "fox", **fields})
    assert answer.status_code == 200
    return {entry["scope"] for entry in answer.json()["entries"]}


def test_an_entry_that_fits_is_told_with_its_score(served: Served) -> None:
    body = {"agent_id": "analyst", "query": "Where is the FOX?", "story_id": "S-1", "limit": 1}
    (entry,) = served.client.post("/memory/context", json=body).json()["entries"]
    there = served.client.get("/memory/analyst:S-1/note").json()
    assert entry.pop("score") > 0
    assert entry == there
    assert entry["value"] == "a fox in analyst S-1"


def test_an_agent_is_told_of_its_own_scopes_only(served: Served) -> None:
    assert scopes(served, agent_id="analyst", story_id="S-1") == {"analyst:S-1"}
    assert scopes(served, agent_id="analyst") == {"analyst:S-1", "analyst:S-2"}
    assert scopes(served, agent_id="critic", story_id="S-1") == {"shared:reviews"}
    assert scopes(served, agent_id="writer", story_id="S-9") == {"shared:drafts"}  # by its place
    assert scopes(served, agent_id="writer") == {"writer:S-1", "shared:drafts"}


def test_categories_are_kept_shown_and_asked_for(served: Served) -> None:
    path = "/memory/shared:reviews/lesson"
    put = served.client.put(path, json="never feed the fox", params={"category": "error_pattern"})
    assert put.status_code == 200
    assert served.client.get(path).json()["category"] == "error_pattern"
    history = served.client.get(path, params={"history": "true"}).json()["history"]
    assert history[-1]["category"] == "error_pattern"
    body = {"agent_id": "critic", "query": "fox", "categories": ["error_pattern"]}
    found = served.client.post("/memory/context", json=body).json()["entries"]
    assert [(entry["key"], entry["category"]) for entry in found] == [("lesson", "error_pattern")]
    assert served.client.post(
        "/memory/context", json={**body, "categories": ["quality_insight"]}
    ).json() == {"entries": []}
    only = served.client.get("/memory/shared:reviews", params={"category": "error_pattern"})
    assert [entry["key"] for entry in only.json()["entries"]] == ["lesson"]
    served.client.put(path, json="fed it")
    assert "category" not in served.client.get(path).json()  # each write says its own


def test_what_a_step_leaves_is_a_completed_task(served: Served) -> None:
    assert served.run(story_id="S-7", flow="default").status_code == 200
    assert served.client.get("/memory/analyst:S-7/analyst").json()["category"] == "task_completion"


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("PUT", "/memory/shared:a/b?category=gossip", "invalid_name"),
        ("GET", "/memory/shared:a?category=gossip", "invalid_name"),
        ("PUT", "/memory/shared:a/b?category=", "invalid_name"),
        ("GET", "/memory/shared:a/b?category=error_pattern", "invalid"),
    ],
)
def test_a_category_that_is_none_is_422(served: Served, method: str, path: str, code: str) -> None:
    answer = served.client.request(method, path, json="x" if method == "PUT" else None)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"agent_id": "nobody"}, 404),
        ({"agent_id": "shared"}, 404),
        ({"agent_id": "analyst:S-1"}, 422),
        ({"story_id": "a__b"}, 422),
        ({"story_id": "*"}, 422),
        ({"limit": 0}, 422),
        ({"limit": 101}, 422),
        ({"limit": "5"}, 422),
        ({"categories": ["gossip"]}, 422),
        ({"query": "x" * 20_001}, 422),
        ({"scope": "shared:drafts"}, 422),
    ],
)
def test_a_question_that_cannot_be_is_refused(
    served: Served, change: dict[str, Any], status: int
) -> None:
    body = {"agent_id": "analyst", "query": "fox", **change}
    answer = served.client.post("/memory/context", json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("query", ["", '"', "fox* NOT (", "key:fox", "{b c}: ^", "\n", "fox\u2028"])
def test_a_question_is_only_words(served: Served, query: str) -> None:
    body = {"agent_id": "analyst", "query": query}
    answer = served.client.post("/memory/context", json=body)
    assert answer.status_code == 200
    assert bool(answer.json()["entries"]) == ("fox" in query)
