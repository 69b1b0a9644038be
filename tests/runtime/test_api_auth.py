"""Who may call: all routes behind keys, and only this machine without any."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from scripts.runtime.api.auth import access, check_bind, is_loopback, read_keys
from scripts.runtime.errors import SettingsError
from scripts.runtime.settings import Secrets, ServerSettings, Settings

from .api import Served, application, serve

KEY = "correct-horse-battery-staple"
OTHER = "another-key-of-another-caller"
KEYS = f"ci:{KEY}, ops:sha256={hashlib.sha256(OTHER.encode()).hexdigest()}"
OPEN = {"/health", "/health/live", "/health/ready", "/health/startup", "/metrics"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    app = application(tmp_path_factory.mktemp("auth"), settings={"secrets": {"api_keys": KEYS}})
    with serve(app) as running:
        yield running


def all_routes(app: FastAPI) -> list[tuple[str, str]]:
    """Every method and path that the application answers at, hidden ones and mounts included."""
    found = []
    pending: list[Any] = list(app.routes)
    while pending:
        route = pending.pop()
        if hasattr(route, "original_router"):
            pending += route.original_router.routes
        elif getattr(route, "methods", None):
            found += [(method, route.path) for method in route.methods]
        else:
            raise AssertionError(f"a kind of route that this test does not know: {route!r}")
    return sorted(found)


def test_every_route_but_health_and_metrics_needs_a_key(guarded: Served) -> None:
    routes = all_routes(guarded.app)
    assert len(routes) >= 25
    assert {path for _, path in routes} >= OPEN | {"/run", "/docs", "/openapi.json", "/doc/"}
    for method, path in routes:
        answer = guarded.client.request(method, path.replace("{", "").replace("}", ""))
        if path in OPEN:
            assert answer.status_code == 200, (method, path)
        else:
            assert answer.status_code == 401, (method, path)


@pytest.mark.parametrize("path", ["/absent", "/", "/health/other", "/health/"])
def test_what_is_no_route_needs_a_key_too(guarded: Served, path: str) -> None:
    assert guarded.client.get(path).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {OTHER}"},
        {"x-api-key": KEY},
        {"x-api-key": OTHER},
    ],
)
def test_a_key_opens(guarded: Served, headers: dict[str, str]) -> None:
    assert guarded.client.get("/agent", headers=headers).status_code == 200


BASIC = base64.b64encode(f"ci:{KEY}".encode()).decode()
WRONG: dict[str, list[tuple[str, str | bytes]]] = {
    "none": [],
    "wrong": [("x-api-key", "wrong")],
    "prefix": [("x-api-key", KEY[:-1])],
    "longer": [("x-api-key", KEY + "x")],
    "with its name": [("x-api-key", f"ci:{KEY}")],
    "the hash": [("x-api-key", hashlib.sha256(OTHER.encode()).hexdigest())],
    "the hash as written": [("x-api-key", "sha256=" + hashlib.sha256(OTHER.encode()).hexdigest())],
    "not ASCII": [("x-api-key", "schlüssel".encode())],
    "not UTF-8": [("x-api-key", b"\xff\xfe")],
    "12 kB": [("x-api-key", "x" * 12_000)],
    "empty": [("x-api-key", "")],
    "doubled": [("x-api-key", KEY), ("x-api-key", KEY)],
    "both headers": [("x-api-key", KEY), ("authorization", f"Bearer {KEY}")],
    "two at once": [("x-api-key", f"{KEY},{KEY}")],
    "basic": [("authorization", f"Basic {BASIC}")],
    "no scheme": [("authorization", KEY)],
    "scheme alone": [("authorization", "Bearer")],
    "upper case": [("x-api-key", KEY.upper())],
}


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG)
def test_what_is_no_key_is_401_with_one_body(
    guarded: Served, headers: list[tuple[str, str | bytes]]
) -> None:
    plain = guarded.client.get("/agent")
    answer = guarded.client.get("/agent", headers=[(n.encode(), _b(v)) for n, v in headers])
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.content == plain.content


def test_a_key_in_the_query_does_not_count(guarded: Served) -> None:
    for name in ("x-api-key", "api_key", "key", "access_token", "authorization"):
        assert guarded.client.get("/agent", params={name: KEY}).status_code == 401


def _b(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


@pytest.mark.parametrize(
    "text",
    [
        "no-colon",
        "name:",
        ":key",
        "a@tenant:key",
        "a+admin:key",
        "a b:key",
        "a:sha256=abc",
        "a:one,a:two",
        "a:one,,b:two",
        "a+admin:sha256=" + "0" * 64,
    ],
)
def test_keys_that_cannot_be_read_stop_the_start(text: str) -> None:
    settings = Settings(secrets=Secrets(api_keys=SecretStr(text)))
    with pytest.raises(SettingsError) as caught:
        read_keys(settings)
    assert caught.value.where == "BMAD_API_KEYS"
    assert "key," not in str(caught.value)


def test_behind_the_colon_all_is_the_key() -> None:
    settings = Settings(secrets=Secrets(api_keys=SecretStr("a:one+two@three:four")))
    assert read_keys(settings)[0].digest == hashlib.sha256(b"one+two@three:four").digest()


@pytest.mark.parametrize(
    "keys, auth, said",
    [
        (None, "auto", ["open to this machine only (no BMAD_API_KEYS)"]),
        (None, "off", ["off: anyone who reaches it may call"]),
        (KEYS, "off", ["2 keys (ci, ops)"]),
        (
            "a:0123456789abcde,b:0123456789abcdef",
            "auto",
            ["2 keys (a, b)", "BMAD_API_KEYS: the key of a has fewer than 16 characters"],
        ),
    ],
)
def test_who_may_call_is_said(keys: str | None, auth: str, said: list[str]) -> None:
    secrets = Secrets(api_keys=SecretStr(keys)) if keys else Secrets()
    settings = Settings.model_validate({"server": {"auth": auth}, "secrets": secrets})
    assert access(settings) == said


@pytest.mark.parametrize(
    "server, keys, starts",
    [
        ({"host": "127.0.0.1"}, None, True),
        ({"host": "::1"}, None, True),
        ({"host": "localhost"}, None, True),
        ({"host": "0.0.0.0"}, None, False),
        ({"host": "::"}, None, False),
        ({"host": "192.0.2.1"}, None, False),
        ({"host": "example.org"}, None, False),
        ({"host": "0.0.0.0", "auth": "off"}, None, True),
        ({"host": "0.0.0.0"}, "a:key", True),
    ],
)
def test_an_open_bind_needs_keys_or_the_word(
    server: dict[str, Any], keys: str | None, starts: bool
) -> None:
    secrets = Secrets(api_keys=SecretStr(keys)) if keys else Secrets()
    settings = Settings(server=ServerSettings(**server), secrets=secrets)
    if starts:
        check_bind(settings)
    else:
        with pytest.raises(SettingsError, match="BMAD_AUTH=off"):
            check_bind(settings)


async def _ask(app: FastAPI, caller: str, host: str, path: str = "/agent") -> int:
    transport = httpx2.ASGITransport(app=app, client=(caller, 1234))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return (await client.get(path, headers={"host": host})).status_code


@pytest.mark.parametrize(
    "caller, host, status",
    [
        ("127.0.0.1", "127.0.0.1:8000", 200),
        ("127.9.9.9", "localhost", 200),
        ("::1", "[::1]:8000", 200),
        ("::ffff:127.0.0.1", "LOCALHOST:80", 200),
        ("192.0.2.7", "127.0.0.1", 403),
        ("::ffff:192.0.2.7", "localhost", 403),
        ("testclient", "localhost", 403),
        ("127.0.0.1", "attacker.example", 403),
        ("127.0.0.1", "127.0.0.1.attacker.example:8000", 403),
        ("127.0.0.1", "localhost.attacker.example", 403),
        ("127.0.0.1", "", 403),
    ],
)
def test_without_keys_only_this_machine_may_call(
    tmp_path: Path, caller: str, host: str, status: int
) -> None:
    import asyncio

    app = application(tmp_path)
    assert asyncio.run(_ask(app, caller, host)) == status
    assert asyncio.run(_ask(app, caller, host, "/health/live")) == 200


def test_without_keys_the_word_opens_it_to_all(tmp_path: Path) -> None:
    import asyncio

    app = application(tmp_path, settings={"server": {"auth": "off"}})
    assert asyncio.run(_ask(app, "192.0.2.7", "service.example")) == 200


@pytest.mark.parametrize(
    "host, local",
    [("127.0.0.1", True), ("::1", True), ("0.0.0.0", False), ("", False), ("10.0.0.1", False)],
)
def test_loopback_is_recognised(host: str, local: bool) -> None:
    assert is_loopback(host) is local
