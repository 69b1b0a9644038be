"""HEAD, methods that are not there, and query parameters that nobody knows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .api import Served, application, serve


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(application(tmp_path_factory.mktemp("methods"))) as running:
        yield running


@pytest.mark.parametrize(
    "path", ["/agent", "/flow/one", "/doc", "/doc/absent", "/health", "/docs", "/openapi.json"]
)
def test_head_is_get_without_the_body(served: Served, path: str) -> None:
    get, head = served.client.get(path), served.client.head(path)
    assert head.status_code == get.status_code
    assert head.content == b""
    assert head.headers["content-type"] == get.headers["content-type"]
    if path != "/health":  # its uptime has more or fewer digits
        assert head.headers["content-length"] == get.headers["content-length"]


@pytest.mark.parametrize(
    "method, path, allow",
    [
        ("POST", "/doc/a", "DELETE, GET, HEAD, PUT"),
        ("PATCH", "/memory/shared:a/b", "DELETE, GET, HEAD, PUT"),
        ("GET", "/run", "POST"),
        ("HEAD", "/run", "POST"),
        ("DELETE", "/agent/analyst", "GET, HEAD"),
        ("GET", "/memory/context", "POST"),
        ("HEAD", "/memory/context", "POST"),
        ("PUT", "/memory/context", "POST"),
        ("DELETE", "/agent", "GET, HEAD"),
    ],
)
def test_a_wrong_method_hears_of_all_that_the_path_has(
    served: Served, method: str, path: str, allow: str
) -> None:
    answer = served.client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers.get_list("allow") == [allow]
    if method != "HEAD":
        problem = answer.json()
        assert problem["code"] == "method_not_allowed"
        assert problem["detail"] == f"this path takes {allow}, not {method}"


@pytest.mark.parametrize(
    "path", ["/doc?limits=3", "/agent?a=1&b=2", "/memory/shared:a/b?histroy=1", "/health?x"]
)
def test_a_query_parameter_that_nobody_knows_is_422(served: Served, path: str) -> None:
    answer = served.client.get(path)
    if path == "/health?x":
        assert answer.status_code == 422  # a name alone is one as well
        return
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid")
    first = path.partition("?")[2].partition("=")[0]
    assert problem["errors"][0]["field"] == f"query.{first}"


def test_a_query_parameter_of_the_route_is_taken(served: Served) -> None:
    served.client.put("/memory/shared:a/b", json=1)
    assert served.client.get("/memory/shared:a/b?history=true").json()["history"]
