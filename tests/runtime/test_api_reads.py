"""The short way for reads answers as the long one does, byte for byte, or leaves it to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.runtime.api.jsontext import dump
from scripts.runtime.api.memory import entry_json, entry_text
from scripts.runtime.api.reads import Reads
from scripts.runtime.errors import StoreUnavailable
from scripts.runtime.stores.protocol import CATEGORIES, Entry

from .api import Served, application, serve

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PATHS = [
    "/memory/shared:a/text",
    "/memory/shared:a/data",
    "/memory/shared:a",
    "/memory/shared:none",
    "/memory/shared:a/none",
    "/memory/shared:a/",
    "/memory/",
    "/memory/x:y:z",
    "/memory/shared:a/..",
    "/memory/shared:a/%2e%2e%2fx",
    "/memory/shared%3Aa/text",
    "/memory/shared:a/text/more",
    "/memory/shared:a/text?history=true",
    "/memory/shared:a/text?x=1",
    "/memory/shared:a?category=error_pattern",
    "/doc/prd",
    "/doc/prd.md",
    "/doc/none",
    "/doc/",
    "/doc/a%2Fb",
    "/doc/prd/status",
    "/doc/prd?rev=1",
]
HEADERS: list[dict[str, str]] = [
    {},
    {"accept": "text/markdown"},
    {"accept": "text/html"},
    {"accept": "application/json;q=0.5, */*;q=0.1"},
    {"if-none-match": "*"},
]
OWN = {"date", "x-request-id"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(application(tmp_path_factory.mktemp("reads"))) as running:
        client = running.client
        client.put("/memory/shared:a/text", json="Größe \u2028", params={"category": CATEGORIES[0]})
        client.put("/memory/shared:a/data", json={"a": [1, None, "x"]})
        client.put("/doc/prd", content="# Größe\r\n", headers={"content-type": "text/markdown"})
        yield running


def told(answer: httpx2.Response) -> tuple[int, dict[str, str], bytes]:
    headers = {name: value for name, value in answer.headers.items() if name not in OWN}
    return answer.status_code, headers, answer.content


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_both_ways_answer_alike(
    served: Served, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [(path, headers) for path in PATHS for headers in HEADERS]
    short = [told(served.client.request(method, path, headers=each)) for path, each in cases]

    async def long_way(self: Reads, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)

    monkeypatch.setattr(Reads, "__call__", long_way)
    for (path, headers), found in zip(cases, short, strict=True):
        assert found == told(served.client.request(method, path, headers=headers)), path
    assert {status for status, _, _ in short} >= {200, 304, 404, 422}


def test_a_store_that_is_away_is_503_at_once(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def away(scope: str, key: str) -> Entry:
        asked.append(key)
        raise StoreUnavailable("Redis cannot be reached", store="memory")

    memory = served.service.memory
    monkeypatch.setattr(memory, "get", away, raising=False)
    answer = served.client.get("/memory/shared:a/text")
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert "retry-after" in answer.headers
    assert asked == ["text"]


@given(JSON, st.none() | st.sampled_from(CATEGORIES), st.text(), st.text())
def test_the_text_of_an_entry_is_that_of_its_json(
    value: Any, category: str | None, key: str, scope: str
) -> None:
    entry = Entry(key, value, scope, "2026-01-02T03:04:05.678Z", 7, "set", category)
    assert entry_text(entry).encode("ascii") == dump(entry_json(entry))
