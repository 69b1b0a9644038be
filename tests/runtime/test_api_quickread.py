"""The short way of reads answers what the long way answers."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from scripts.runtime.errors import StoreUnavailable
from scripts.runtime.stores.protocol import Entry
from scripts.runtime.stores.verify import reseal

from .api import Served, application, serve

LONG = "*/*;q=0.9"  # means the same as `*/*`, and is not taken for it
OWN = {"x-request-id", "date"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(application(tmp_path_factory.mktemp("reads"))) as running:
        client = running.client
        for key, value in (("text", "é\u2028"), ("object", {"n": [1, None]}), ("none", None)):
            client.put(f"/memory/a:S_1/{key}", json=value, params={"category": "collaboration"})
            client.put(f"/memory/shared:n/{key}", json=value)
        client.delete("/memory/shared:n/text")
        client.put("/doc/S-1__prd", content="# Größe\n".encode(), headers=MARKDOWN)
        yield running


MARKDOWN = {"content-type": "text/markdown"}


def told(answer: httpx2.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    headers = [pair for pair in answer.headers.multi_items() if pair[0] not in OWN]
    body = answer.content.replace(b"?history=false", b"")
    return answer.status_code, headers, body


@pytest.mark.parametrize(
    "path",
    [
        "/memory/a:S_1/text",
        "/memory/a:S_1/object",
        "/memory/a%3AS_1/none",
        "/memory/shared:n/object",
        "/memory/shared:n/text",
        "/memory/shared:n/..",
        "/memory/shared:n/%2e%2e%2fx",
        "/memory/nobody/k",
        "/memory/shared:n/bad~key",
        "/memory/a:S_1",
        "/memory/shared:none",
        "/memory/nobody",
        "/memory/",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_memory(served: Served, method: str, path: str) -> None:
    short = served.client.request(method, path)
    # With a parameter that changes nothing it goes the long way.
    same = "history=false" if path.count("/") == 3 else "category=collaboration"
    long = served.client.request(method, f"{path}?{same}")
    status, headers, body = told(long)
    assert told(short)[0] == status
    if status == 200:
        assert told(short) == (status, headers, body)
    else:
        assert short.headers["content-type"] == "application/problem+json"
        assert method == "HEAD" or short.json()["code"] == long.json()["code"]


@pytest.mark.parametrize(
    "path",
    ["/doc/S-1__prd", "/doc/S-1__prd.md", "/doc/absent", "/doc/%2e%2e", "/doc/a%2fb", "/doc/~"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_documents(served: Served, method: str, path: str) -> None:
    short = served.client.request(method, path, headers={"accept": "*/*"})
    long = served.client.request(method, path, headers={"accept": LONG})
    assert told(short) == told(long)


def test_what_a_client_prefers(served: Served) -> None:
    page = served.client.get("/doc/S-1__prd", headers={"accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    tag = served.client.get("/doc/S-1__prd").headers["etag"]
    same = served.client.get("/doc/S-1__prd", headers={"if-none-match": tag})
    assert same.status_code == 304
    assert served.client.get("/doc/S-1__prd?unknown=1").status_code == 422
    assert served.client.get("/memory/shared:n/object?unknown=1").status_code == 422


def test_reads_are_counted_by_their_route(served: Served) -> None:
    served.client.get("/memory/shared:n/object")
    served.client.get("/doc/S-1__prd")
    text = served.client.get("/metrics").text
    for route in ("/memory/{scope}/{key}", "/doc/{id}"):
        labels = f'method="GET",route="{route}",status="200"'
        assert f"bmad_http_request_seconds_count{{{labels}}}" in text


def test_a_store_that_is_away_is_asked_once(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def away(*what: str) -> Entry:
        asked.append(what)
        raise StoreUnavailable("Redis cannot be reached", store="memory")

    monkeypatch.setattr(served.service.memory, "get", away, raising=False)
    answer = served.client.get("/memory/shared:n/object")
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert "retry-after" in answer.headers
    assert len(asked) == 1


def test_a_fault_is_told_as_ever(served: Served) -> None:
    root = served.service.settings.root
    (root / "docs" / "broken.md").write_bytes(b"\xff")
    for accept in ("*/*", LONG):
        answer = served.client.get("/doc/broken", headers={"accept": accept})
        assert (answer.status_code, answer.json()["code"]) == (500, "store_failed")


def test_health_notices_a_repair_that_nobody_has_read(served: Served) -> None:
    served.client.put("/memory/shared:repaired/one", json={"n": 1})
    served.client.put("/memory/shared:repaired/two", json={"n": 2})
    file = served.service.settings.memory_dir / "shared" / "repaired.jsonl"
    copy = file.with_name("copy")
    copy.write_bytes(file.read_bytes().replace(b'{"n":1}', b'{"n":3}'))
    copy.replace(file)
    assert served.client.get("/memory/shared:repaired/one").status_code == 404
    assert served.client.get("/health").json()["status"] == "degraded"
    assert reseal(file) == 1
    assert served.client.get("/health").json()["status"] == "ok"
    assert served.client.get("/memory/shared:repaired/one").json()["value"] == {"n": 3}


def test_a_damaged_file_degrades_health(served: Served) -> None:
    served.client.put("/memory/shared:damaged/one", json={"n": 1})
    served.client.put("/memory/shared:damaged/two", json={"n": 2})
    assert served.client.get("/health").json()["status"] == "ok"
    folder = served.service.settings.memory_dir / "shared"
    file = folder / "damaged.jsonl"
    copy = folder / "copy"
    copy.write_bytes(file.read_bytes().replace(b'{"n":1}', b'{"n":3}'))
    copy.replace(file)
    assert served.client.get("/memory/shared:damaged/one").status_code == 404
    health = served.client.get("/health").json()
    assert (health["status"], health["memory"]["damaged_files"]) == ("degraded", 1)
    assert served.client.get("/health/ready").status_code == 200
    assert "damaged.jsonl" not in str(health)
    file.unlink()
    (folder / "damaged.jsonl.quarantine").unlink()
    assert served.client.get("/memory/shared:damaged/one").status_code == 404
    assert served.client.get("/health").json()["status"] == "ok"
