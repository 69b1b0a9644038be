"""Hostile ids in every string parameter: nothing from outside, nothing outside, no 500."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Response

from tests.faults.rounds import ROUNDS

from . import hostile, wire
from .api import Served, application, serve

SECRET = "canary-of-a-file-outside"
MARKDOWN = ("content-type", b"text/markdown")
JSON = ("content-type", b"application/json")
PLAIN = {"content-type": "text/plain"}
STEP = max(1, 16 // ROUNDS)  # of the corpus, so that sixteen rounds ask for all of it


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


Target = tuple[str, bytes]  # a method and what stands behind it


def parameters(served: Served) -> list[tuple[str, str, str, str]]:
    """Each string that a request may hold in its target: verb, path, where, name."""
    return [
        (verb, path, parameter["in"], parameter["name"])
        for verb, path, operation in operations(served)
        for parameter in operation.get("parameters", ())
        if parameter["in"] in ("path", "query")
    ]


def targets(path: str, where: str, name: str, segments: Sequence[bytes]) -> Iterator[bytes]:
    """The path with that parameter replaced by each segment, and the others by what is fine."""
    fine = {"scope": "shared:a", "key": "k", "id": "analyst", "name": "one"}
    for other, value in fine.items():
        if other != name:
            path = path.replace("{" + other + "}", value)
    before, _, after = path.partition("{" + name + "}")
    for segment in segments:
        if where == "path":
            yield before.encode() + segment + after.encode()
        else:
            yield path.encode() + f"?{name}=".encode() + segment.replace(b"#", b"%23")


def fault(answer: wire.Reply) -> str | None:
    """What is wrong with an answer to a hostile request."""
    if SECRET.encode() in answer.body or SECRET.encode() in answer.head:
        return "it holds what lies outside"
    if answer.status >= 500:
        return f"it is {answer.status}"
    if answer.status >= 400 and b"problem+json" in answer.head:
        status = json.loads(answer.body)["status"]
        return None if status == answer.status else "its body says something else"
    return None


def asked(port: int, wanted: Iterable[Target]) -> list[tuple[bytes, str]]:
    """Ask them all; what was wrong with whom."""
    connection, found = wire.Connection(port), []
    for verb, target in wanted:
        body, headers = bodies(verb, target.decode("latin-1"))
        answer = connection.request(verb.upper(), target, body, *headers)
        if (wrong := fault(answer)) is not None:
            found.append((target, wrong))
    connection.close()
    return found


def test_the_corpus_is_large() -> None:
    assert len(set(hostile.targets())) >= 4_000


def test_every_parameter_is_asked_about(served: Served) -> None:
    names = {name for _, _, _, name in parameters(served)}
    assert names >= {"id", "scope", "key", "name", "story_id", "prefix", "cursor", "rev", "from"}


def test_no_parameter_leaves_its_place(served: Served, root: Path) -> None:
    """Each id of the corpus somewhere; a campaign asks for all of them everywhere."""
    before, corpus, count = files(root), hostile.targets(), 0
    for place, (verb, path, where, name) in enumerate(parameters(served)):
        segments = corpus[place % STEP :: STEP]
        found = asked(served.port, ((verb, t) for t in targets(path, where, name, segments)))
        assert found == [], (verb, path, name)
        count += len(segments)
    assert count >= 4_000
    assert files(root) == before
    assert served.client.get("/health").json()["status"] == "ok"


def test_a_naive_service_would_be_found_out(root: Path, tmp_path: Path) -> None:
    """The planted fault: what the corpus is for, and what looks at the answers, both work."""
    app = FastAPI()
    folder = root / "data" / "docs"
    folder.mkdir(exist_ok=True)

    @app.get("/doc/{id:path}")
    def naive(id: str) -> Response:
        path = Path(f"{folder}/{id}")
        return Response(path.read_bytes() if path.is_file() else b"")

    @app.put("/doc/{id:path}")
    def naive_write(id: str) -> Response:
        path = Path(f"{folder}/{id}").resolve()
        if path.is_relative_to(root.parent) and path.is_file():  # this far, and no farther
            path.write_text("no secret")
        return Response()

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    corpus = hostile.targets()[::5]
    found = asked(port, (("get", t) for t in targets("/doc/{id}", "path", "id", corpus)))
    before = files(root)
    asked(port, (("put", t) for t in targets("/doc/{id}", "path", "id", corpus)))
    after = files(root)
    plant(root)
    server.should_exit = True
    thread.join()
    assert sum(wrong == "it holds what lies outside" for _, wrong in found) > 10
    assert after != before == files(root), "a write outside would not be seen"
    assert fault(wire.Reply(500, b"", b"")) == "it is 500"


@pytest.mark.parametrize("place", ["docs/link.md", "docs/.store/revisions/linked.jsonl"])
def test_planted_links_are_refused(served: Served, root: Path, place: str) -> None:
    outside = root / "config" / "SECRET.md"
    link = root / place
    name = link.stem
    link.symlink_to(outside)
    try:
        for path in ("", "/status", "/revisions", "/diff", "?rev=1"):
            answer = served.client.get(f"/doc/{name}{path}")
            assert SECRET not in answer.text
        wrote = served.client.put(f"/doc/{name}", content=b"x", headers=dict(PLAIN))
        assert wrote.status_code == 500
        assert wrote.json()["code"] == "store_failed"
        served.client.delete(f"/doc/{name}")
        assert name not in served.client.get("/doc?prefix=l").text
        assert outside.read_text() == SECRET
        assert link.is_symlink()
    finally:
        link.unlink()


@pytest.mark.parametrize("field", ["story_id", "flow", "documents", "command", "changed"])
def test_no_body_field_leaves_its_place(served: Served, root: Path, field: str) -> None:
    before = files(root)
    path = "/agent/analyst/run" if field == "command" else "/run"
    for name in hostile.names()[::STEP]:
        body: dict[str, Any] = {"input": "x", "story_id": "S-1"}
        if path == "/run":
            body["flow"] = "one"
        values = {"documents": {name: "x"}, "changed": [name]}
        body[field] = values.get(field, name)
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
