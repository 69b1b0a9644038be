"""Documents, memory, agents, flows and health over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .api import Served, application, serve

MARKDOWN = {"content-type": "text/markdown"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(application(tmp_path_factory.mktemp("nouns"))) as running:
        yield running


@pytest.fixture
def root(served: Served) -> Path:
    return served.service.settings.root


def test_a_document_is_new_then_replaced_and_read_back(served: Served, root: Path) -> None:
    text = "# Größe\r\n\r\n\u2028 no last line break"
    new = served.client.put("/doc/S-1__prd.md", content=text.encode(), headers=MARKDOWN)
    assert (new.status_code, new.json()) == (201, {"success": True})
    again = served.client.put("/doc/S-1__prd", content=text.encode(), headers=MARKDOWN)
    assert (again.status_code, again.json()) == (200, {"success": True})
    read = served.client.get("/doc/S-1__prd")
    assert read.content == text.encode()
    assert read.headers["content-type"] == "text/markdown; charset=utf-8"
    assert read.headers["etag"] == again.headers["etag"]
    assert read.headers["created_at"] <= read.headers["updated_at"]
    assert (root / "docs" / "S-1__prd.md").read_bytes() == text.encode()


def test_documents_are_listed_by_id_at_both_paths(served: Served) -> None:
    for name in ("zz", "aa"):
        served.client.put(f"/doc/{name}", content=b"x", headers=MARKDOWN)
    listed = served.client.get("/doc").json()["documents"]
    names = [entry["id"] for entry in listed]
    assert names == sorted(names)
    assert {"aa", "zz"} <= set(names)
    assert set(listed[0]) == {"id", "etag", "created_at", "updated_at", "size"}
    assert served.client.get("/doc/").json() == {"documents": listed, "next": None}


def test_if_match_guards_writes_and_removals(served: Served) -> None:
    path = "/doc/guarded"
    absent = served.client.put(path, content=b"x", headers={**MARKDOWN, "if-match": '"a"'})
    assert absent.status_code == 412
    tag = served.client.put(path, content=b"one", headers=MARKDOWN).headers["etag"]
    stale = {**MARKDOWN, "if-match": '"other"'}
    assert served.client.put(path, content=b"two", headers=stale).status_code == 412
    assert served.client.delete(path, headers={"if-match": '"other"'}).status_code == 412
    assert served.client.get(path).text == "one"
    fresh = served.client.put(path, content=b"two", headers={**MARKDOWN, "if-match": tag})
    assert fresh.status_code == 200
    assert fresh.headers["etag"] != tag
    gone = served.client.delete(path, headers={"if-match": fresh.headers["etag"]})
    assert gone.json() == {"success": True}
    assert served.client.get(path).status_code == 404


def test_if_none_match_makes_a_document_only_where_there_is_none(served: Served) -> None:
    path, headers = "/doc/made-once", {**MARKDOWN, "if-none-match": "*"}
    assert served.client.put(path, content=b"one", headers=headers).status_code == 201
    for body in (b"one", b"two"):
        again = served.client.put(path, content=body, headers=headers)
        assert (again.status_code, again.json()["code"]) == (412, "precondition_failed")
    assert served.client.get(path).text == "one"


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_parameter_that_is_given_twice_is_refused(served: Served, method: str) -> None:
    path = "/memory/shared:twice" + ("/k" if method == "PUT" else "")
    query = "category=error_pattern&category=collaboration"
    answer = served.client.request(method, f"{path}?{query}", json=1)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["field"], error["code"]) == ("query.category", "repeated")
    assert served.client.get("/memory/shared:twice").json() == {"entries": []}


def test_a_known_tag_is_304(served: Served) -> None:
    tag = served.client.put("/doc/tagged", content=b"x", headers=MARKDOWN).headers["etag"]
    for header in (tag, f'"other", W/{tag}', "*"):
        answer = served.client.get("/doc/tagged", headers={"if-none-match": header})
        assert (answer.status_code, answer.content) == (304, b"")
    assert served.client.get("/doc/tagged", headers={"if-none-match": '"x"'}).text == "x"


def test_status_says_whether_a_document_exists(served: Served) -> None:
    served.client.put("/doc/there", content=b"x", headers=MARKDOWN)
    assert served.client.get("/doc/there/status").json() == {"exists": True}
    assert served.client.get("/doc/there.md/status").json() == {"exists": True}
    assert served.client.get("/doc/absent/status").json() == {"exists": False}


@pytest.mark.parametrize(
    "headers, body, status",
    [
        ({"content-type": "application/json"}, b"{}", 415),
        ({"content-type": "text/html"}, b"<p>", 415),
        ({"content-type": "text/markdown; charset=latin-1"}, b"x", 415),
        ({"content-type": "text/markdown"}, b"\xff", 422),
        ({"content-type": "text/markdown"}, b"a\0b", 422),
        ({"content-type": "text/plain; charset=UTF-8"}, b"fine", 201),
    ],
)
def test_only_markdown_in_utf_8_is_kept(
    served: Served, headers: dict[str, str], body: bytes, status: int
) -> None:
    served.client.delete("/doc/kinds")
    answer = served.client.put("/doc/kinds", content=body, headers=headers)
    assert answer.status_code == status
    assert served.client.get("/doc/kinds/status").json() == {"exists": status == 201}


VALUES: list[Any] = [
    None,
    False,
    0,
    -1.5,
    "",
    "text\u2028ü😀",
    [],
    {"a": {"b": [1, {"lc": 1}]}},
    10**30,
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_memory_keeps_any_json_value(served: Served, value: Any) -> None:
    path = "/memory/shared:values/key"
    written = served.client.put(
        path, content=json.dumps(value), headers={"content-type": "application/json"}
    )
    assert written.status_code == 200
    assert written.json()["success"] is True
    read = served.client.get(path).json()
    assert read["value"] == value
    assert type(read["value"]) is type(value)
    assert set(read) == {"key", "value", "scope", "timestamp", "seq"}
    assert read["seq"] == written.json()["seq"]


def test_a_scope_lists_its_newest_values(served: Served) -> None:
    for key, value in (("a", 1), ("b", 2), ("a", 3)):
        served.client.put(f"/memory/analyst:S-9/{key}", json=value)
    entries = served.client.get("/memory/analyst:S-9").json()["entries"]
    assert [(entry["key"], entry["value"]) for entry in entries] == [("a", 3), ("b", 2)]


def test_history_keeps_what_was_overwritten_and_removed(served: Served) -> None:
    path = "/memory/shared:history/key"
    for value in (1, 2):
        served.client.put(path, json=value)
    assert served.client.delete(path).json() == {"success": True}
    assert served.client.get(path).status_code == 404
    history = served.client.get(path, params={"history": "true"}).json()["history"]
    assert [(write["op"], write["value"]) for write in history][:2] == [("set", 1), ("set", 2)]
    assert history[-1]["op"] == "delete"
    assert served.client.delete(path).status_code == 404


def test_equal_looking_scopes_share_nothing(served: Served) -> None:
    served.client.put("/memory/a_b:c/key", json="one")
    served.client.put("/memory/a:b_c/key", json="two")
    assert served.client.get("/memory/a_b:c/key").json()["value"] == "one"
    assert served.client.get("/memory/a:b_c/key").json()["value"] == "two"


@pytest.mark.parametrize(
    "scope",
    ["shared", "shared:", "shared:a:b", "a:b:c", ":S-1", "a b:S-1", "analyst:a__b", "*:*", "a:?"],
)
def test_a_scope_that_is_none_is_422(served: Served, scope: str) -> None:
    quoted = scope.replace("?", "%3F").replace(" ", "%20")
    answer = served.client.get(f"/memory/{quoted}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_name")


@pytest.mark.parametrize("body", [b"NaN", b'{"a":1,"a":2}', b'"\\ud800"', b"[1] 2", b""])
def test_memory_refuses_what_json_does_not_have(served: Served, body: bytes) -> None:
    answer = served.client.put(
        "/memory/shared:bad/key", content=body, headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "json_invalid")
    assert served.client.get("/memory/shared:bad").json() == {"entries": []}


def test_agents_are_listed_without_their_prompts(served: Served) -> None:
    answer = served.client.get("/agent")
    agents = answer.json()["agents"]
    assert [agent["id"] for agent in agents] == ["analyst", "writer"]
    assert "You are" not in answer.text
    assert served.client.get("/agent/writer").json() == agents[1]
    assert agents[1]["wait_for_docs"] == ["prd"]
    assert agents[1]["creates"] == "story"
    assert agents[0]["commands"] == ["brief"]


def test_an_agent_says_when_it_last_ran(served: Served) -> None:
    before = served.client.get("/agent/analyst/ready").json()
    assert before == {"ready": True, "last_execution": None}
    served.run(story_id="S-ready")
    after = served.client.get("/agent/analyst/ready").json()["last_execution"]
    assert after.endswith("Z")
    assert after.startswith("20")


def test_flows_say_their_steps_and_show_their_graphs(served: Served) -> None:
    flows = served.client.get("/flow").json()["flows"]
    assert [flow["name"] for flow in flows] == ["one", "two"]
    assert served.client.get("/flow/one").json() == flows[0]
    assert flows[0]["steps"] == ["analyst"]
    assert flows[1]["on_missing_doc"] == "wait"
    mermaid = served.client.get("/flow/one/graph")
    assert mermaid.headers["content-type"] == "text/vnd.mermaid; charset=utf-8"
    assert mermaid.text.startswith("flowchart")
    graph = served.client.get("/flow/one/graph", headers={"accept": "application/json"})
    assert graph.json()["flow"] == "one"
    svg = served.client.get("/flow/one/graph", headers={"accept": "image/svg+xml"})
    assert svg.headers["content-type"] == "image/svg+xml"
    assert svg.headers["content-security-policy"].startswith("default-src 'none'")
    assert svg.text.startswith("<svg ")
    other = served.client.get("/flow/one/graph", headers={"accept": "image/png"})
    assert (other.status_code, other.json()["code"]) == (406, "not_acceptable")


@pytest.mark.parametrize("path", ["/agent/absent", "/flow/absent", "/doc/absent", "/absent"])
def test_what_is_absent_is_404(served: Served, path: str) -> None:
    answer = served.client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_method_that_is_not_there_is_405(served: Served) -> None:
    answer = served.client.post("/doc/prd")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


def test_no_path_redirects(served: Served) -> None:
    for path in ("/run/", "/agent/", "/flow/", "/health/", "/docs/"):
        assert served.client.get(path).status_code == 404


def test_health_says_what_runs(served: Served) -> None:
    health = served.client.get("/health").json()
    assert health["status"] == "ok"
    assert health["llm"] == {"provider": "mock", "model": "mock", "mock": True}
    assert health["memory"] == {"backend": "file", "reachable": True, "damaged_files": 0}
    assert (health["agents"], health["flows"]) == (2, 2)
    assert health["uptime"] >= 0
    for probe in ("live", "ready", "startup"):
        assert served.client.get(f"/health/{probe}").json() == {"status": "ok"}


def test_a_request_id_is_echoed_or_made(served: Served) -> None:
    sane = "trace-1:a/b=c"
    assert (
        served.client.get("/agent", headers={"x-request-id": sane}).headers["x-request-id"] == sane
    )
    made = set()
    for bad in (b"", b"a b", b"x" * 129, "ü".encode(), b"<script>"):
        answer = served.client.get("/absent", headers={b"x-request-id": bad})
        made.add(answer.headers["x-request-id"])
    assert len(made) == 5
    assert all(len(each) == 36 for each in made)


@pytest.mark.parametrize(
    ("scope", "refused"),
    [
        ("writr:S-1", "writr"),
        ("WRITER:S-1", "WRITER"),
        ("writer:S-1", None),
        ("of-another-tree:S-1", None),
        ("shared:writr", None),
    ],
)
def test_a_misspelt_agent_keeps_nothing(served: Served, scope: str, refused: str | None) -> None:
    answer = served.client.put(f"/memory/{scope}/k", json=1)
    assert answer.status_code == (404 if refused else 200)
    if refused:
        assert answer.json()["detail"] == f"there is no agent '{refused}' (did you mean writer?)"
        assert served.client.get(f"/memory/{scope}").json() == {"entries": []}
