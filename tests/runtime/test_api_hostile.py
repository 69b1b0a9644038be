"""Hostile ids in every string parameter: nothing from outside, nothing outside, no 500."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import hostile, wire
from .api import Served, application, serve

SECRET = "canary-of-a-file-outside"
MARKDOWN = ("content-type", b"text/markdown")
JSON = ("content-type", b"application/json")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile") / "project"


@pytest.fixture(scope="module")
def served(root: Path) -> Iterator[Served]:
    root.mkdir()
    plant(root)
    settings = {"data_dir": root / "data"}
    with serve(application(root, settings=settings)) as running:
        # The stores' folders must be there, or no path through them leads anywhere.
        running.run()
        running.client.put("/doc/x", content=b"x", headers={"content-type": "text/plain"})
        running.client.put("/memory/shared:x/x", json=1)
        yield running


def plant(root: Path) -> None:
    """Files that a traversal would find, around the stores at every depth it may reach."""
    for folder in (root.parent, root, root / "data", root / "memory", root / "config"):
        for inner in (folder, folder / "secret"):
            inner.mkdir(parents=True, exist_ok=True)
            for name in ("SECRET", "SECRET.md", "SECRET.jsonl", "secrets.env"):
                (inner / name).write_text(SECRET)


def files(root: Path) -> dict[str, bytes]:
    """Everything outside of the stores' own folders."""
    own = (root / "memory" / "isolated", root / "memory" / "shared", root / "docs")
    return {
        str(path): path.read_bytes()
        for path in root.parent.rglob("*")
        if path.is_file() and not any(path.is_relative_to(folder) for folder in own)
    }


def operations(served: Served) -> list[tuple[str, str, dict[str, Any]]]:
    paths = served.client.get("/openapi.json").json()["paths"]
    return [(verb, path, op) for path, verbs in paths.items() for verb, op in verbs.items()]


def bodies(verb: str, path: str) -> tuple[bytes, tuple[tuple[str, bytes], ...]]:
    if verb == "put":
        return (b"{}", (JSON,)) if path.startswith("/memory") else (b"# x", (MARKDOWN,))
    if verb == "post":
        return json.dumps({"input": "x", "story_id": "S-1", "flow": "one"}).encode(), (JSON,)
    return b"", ()


def targets(path: str) -> Iterator[bytes]:
    """The path with each of its parameters in turn replaced by each hostile segment."""
    fine = {"scope": "shared:a", "key": "k", "id": "analyst", "name": "one"}
    for name in fine:
        before, found, after = path.partition("{" + name + "}")
        if not found:
            continue
        for other, value in fine.items():
            before = before.replace("{" + other + "}", value)
            after = after.replace("{" + other + "}", value)
        for segment in hostile.targets():
            yield before.encode() + segment + after.encode()


def test_the_corpus_is_large() -> None:
    assert len(hostile.targets()) >= 600


def test_no_path_parameter_leaves_its_place(served: Served, root: Path) -> None:
    before, asked = files(root), 0
    connection = wire.Connection(served.port)
    for verb, path, _ in operations(served):
        body, headers = bodies(verb, path)
        for target in targets(path):
            answer = connection.request(verb.upper(), target, body, *headers)
            asked += 1
            assert SECRET.encode() not in answer.body, (verb, target)
            assert answer.status < 500, (verb, target, answer)
            if answer.status >= 400 and b"problem+json" in answer.head:
                assert json.loads(answer.body)["status"] == answer.status
    connection.close()
    assert asked > 600 * 10
    assert files(root) == before
    assert served.client.get("/health").json()["status"] == "ok"


@pytest.mark.parametrize("field", ["story_id", "flow", "documents", "command"])
def test_no_body_field_leaves_its_place(served: Served, root: Path, field: str) -> None:
    before = files(root)
    path = "/agent/analyst/run" if field == "command" else "/run"
    for name in hostile.names():
        body: dict[str, Any] = {"input": "x", "story_id": "S-1"}
        if path == "/run":
            body["flow"] = "one"
        body[field] = {name: "x"} if field == "documents" else name
        answer = served.client.post(path, json=body)
        assert SECRET not in answer.text, name
        assert answer.status_code in (200, 400, 404, 413, 422), (name, answer.text)
        if answer.status_code == 200:
            assert re.fullmatch(r"[A-Za-z0-9._-]+", name), name
    assert files(root) == before


def test_bad_and_absent_ids_look_the_same(served: Served) -> None:
    """Whether a file is there outside cannot be told from an answer."""
    for path in ("/doc/..%%2f%s", "/memory/shared:a/..%%2f%s", "/agent/..%%2f%s"):
        there = wire.request(served.port, "GET", (path % "SECRET").encode())
        absent = wire.request(served.port, "GET", (path % "ABSENT").encode())
        assert there.status == absent.status
        assert there.body.replace(b"SECRET", b"") == absent.body.replace(b"ABSENT", b"")


@pytest.mark.parametrize(
    "name, value",
    [
        ("x-request-id", b"a\x1b[31m"),
        ("x-request-id", b"\xff\xfe"),
        ("user-agent", b"a\xe2\x80\xa8b"),
        ("accept", b"\xff/\xff;q=nan"),
        ("accept", b"*/*;q=" + b"9" * 400),
        ("accept", b"," * 8_000),
        ("if-match", b"\xff"),
        ("if-none-match", b"\xff, \x7f"),
        ("idempotency-key", b"\xff"),
        ("content-type", b"\xff; charset=\xff"),
        ("authorization", b"Bearer \xff"),
        ("host", b"localhost"),
    ],
)
def test_hostile_headers_are_no_fault_of_ours(served: Served, name: str, value: bytes) -> None:
    body, headers = bodies("post", "/run")
    others = [header for header in headers if header[0] != name]
    for method, target in (("POST", b"/run"), ("GET", b"/doc/x"), ("GET", b"/flow/one/graph")):
        answer = wire.request(served.port, method, target, body, *others, (name, value))
        assert answer.status < 500, (method, answer)
        assert value not in answer.head
