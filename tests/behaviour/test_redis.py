"""Services that keep memory in Redis, or in a class of the user's own."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from scripts.runtime.stores.memory import FileMemory
from scripts.runtime.stores.protocol import MemoryStore
from tests.documents import GUIDE, blocks
from tests.process import clean_environment
from tests.project import GO_ON, ROOT, WITH_GATE, Project
from tests.redis_server import RedisServer, redis_server
from tests.service import Service, refused_start

SECRET = "canary-77b0"

Start = Callable[..., Service]


@pytest.fixture(scope="module")
def with_gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Project(tmp_path_factory.mktemp("gate")).write(WITH_GATE)
    made.generate()
    return made.root


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sample")
    shutil.copytree(ROOT / "bmad", root / "bmad")
    Project(root).generate()
    return root


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """`start(root, **variables)`: each service with a data folder of its own, as on many hosts."""
    numbers = itertools.count()
    folder = tmp_path_factory.mktemp("services")
    with ExitStack() as running:

        def begin(root: Path, **variables: str) -> Service:
            here = folder / str(next(numbers))
            here.mkdir()
            environment = {"BMAD_DATA_DIR": str(here), **variables}
            child = Service(root, log=here / "log", environment=environment)
            running.callback(child.stop)
            return child.wait_until_live()

        yield begin


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as running:
        yield running


@pytest.fixture(scope="module")
def pair(
    with_gate: Path, start: Start, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, Service, RedisServer]]:
    """Two processes on one Redis."""
    with redis_server(tmp_path_factory.mktemp("redis")) as shared:
        one, two = (start(with_gate, **shared.environment) for _ in range(2))
        yield one, two, shared


def ready(service: Service) -> int:
    return service.client.get("/health/ready").status_code


def memory(service: Service, scope: str) -> list[dict[str, Any]]:
    answer = service.client.get(f"/memory/{scope}")
    assert answer.status_code == 200, answer.text
    entries: list[dict[str, Any]] = answer.json()["entries"]
    return entries


def test_two_processes_share_one_memory(pair: tuple[Service, Service, RedisServer]) -> None:
    one, two, _ = pair
    health = one.client.get("/health").json()
    assert (health["memory"]["backend"], health["memory"]["reachable"]) == ("redis", True)
    assert one.run("an idea", "S-1").json()["status"] == "pending"
    (entry,) = memory(two, "shared:notes")
    assert entry["key"] == "first"
    assert two.client.delete("/memory/shared:notes/first").status_code in (200, 204)
    assert memory(one, "shared:notes") == []

    def write(number: int) -> int:
        service = pair[number % 2]
        answer = service.client.put(f"/memory/shared:all/k{number % 5}", json=number)
        assert answer.is_success, answer.text
        seq: int = service.client.get(f"/memory/shared:all/k{number % 5}").json()["seq"]
        return seq

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(100)))
    histories = [
        two.client.get(f"/memory/shared:all/k{key}", params={"history": True}).json()["history"]
        for key in range(5)
    ]
    numbers = sorted(entry["seq"] for history in histories for entry in history)
    assert numbers == list(range(1, 101))
    assert memory(one, "shared:all") == memory(two, "shared:all")


def test_what_one_process_writes_is_recalled_by_the_other(
    pair: tuple[Service, Service, RedisServer],
) -> None:
    one, two, _ = pair
    for number, text in enumerate(("a red fox", "a blue whale", "a grey fox")):
        assert one.client.put(f"/memory/shared:notes/animal{number}", json=text).is_success
        body = {"agent_id": "first", "query": text, "limit": 1}
        (entry,) = two.client.post("/memory/context", json=body).json()["entries"]
        assert (entry["key"], entry["value"]) == (f"animal{number}", text)
    for number in range(3):
        one.client.delete(f"/memory/shared:notes/animal{number}")
    body = {"agent_id": "first", "query": "fox whale", "limit": 9}
    assert two.client.post("/memory/context", json=body).json()["entries"] == []


def test_a_run_with_redis_down_fails_and_goes_on_later(
    with_gate: Path, start: Start, server: RedisServer
) -> None:
    service = start(with_gate, **server.environment)
    pending = service.run("an idea", "S-1")
    assert pending.json()["status"] == "pending"
    server.kill()
    failed = service.run("an idea", "S-1", decision=GO_ON)
    assert failed.status_code == 503
    told = failed.json()
    assert told["status"] == "error"
    assert told["error"]["code"] == "store_unavailable"
    assert told["error"]["step"] == "second"
    assert told["error"]["retryable"] is True
    assert "first" in told["results"]
    assert told["run_id"] == pending.json()["run_id"]
    service.wait_until(lambda: ready(service) == 503)
    assert service.client.get("/health/ready").json()["reason"] == (
        "memory (redis): Redis cannot be reached"
    )
    health = service.client.get("/health").json()
    assert (health["status"], health["memory"]["reachable"]) == ("degraded", False)
    assert service.client.get("/health/live").status_code == 200
    server.start()
    service.wait_until(lambda: ready(service) == 200)
    done = service.run("an idea", "S-1", decision=GO_ON)
    assert done.json()["status"] == "success", done.text
    assert done.json()["run_id"] == told["run_id"]
    assert done.json()["results"]["first"] == told["results"]["first"]
    assert [entry["key"] for entry in memory(service, "shared:notes")] == ["second"]


def test_the_sample_on_files_and_on_redis_with_two_processes(
    sample: Path, start: Start, server: RedisServer
) -> None:
    on_files = start(sample)
    on_redis = [start(sample, **server.environment) for _ in range(2)]
    idea = "A shared shopping list for flats"
    answers = [service.run(idea, "S-1", fresh=True) for service in (on_files, *on_redis)]
    results = [answer.json()["results"] for answer in answers]
    assert [answer.json()["status"] for answer in answers] == ["success"] * 3
    # The second process sees what the first has remembered, as files would after two runs.
    again = on_files.run(idea, "S-1", fresh=True).json()["results"]
    assert results[1] == results[0]
    assert results[2] == again
    scopes = ["shared:product", *(f"{name}:S-1" for name in ("critic", "market-researcher"))]
    for scope in scopes:
        shown = [
            [(entry["key"], entry["value"], entry["seq"]) for entry in memory(service, scope)]
            for service in (on_files, *on_redis)
        ]
        assert shown[0]
        assert shown[0] == shown[1] == shown[2]


async def write(store: MemoryStore) -> None:
    for number in range(5):
        await store.put("shared:moved", f"k{number % 3}", {"n": number})
    await store.delete("shared:moved", "k0")
    await store.close()


def test_memory_moves_from_files_to_redis_and_back(
    with_gate: Path, pair: tuple[Service, Service, RedisServer], tmp_path: Path
) -> None:
    def memory_command(*arguments: str, **variables: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "generated", "memory", *arguments],
            cwd=with_gate,
            env=clean_environment(variables),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    service, _, server = pair
    asyncio.run(write(FileMemory(tmp_path / "memory")))
    first, second = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    memory_command("export", str(first), BMAD_DATA_DIR=str(tmp_path))
    memory_command("import", str(first), **server.environment)
    shown = [
        (entry["key"], entry["value"]["n"], entry["seq"])
        for entry in memory(service, "shared:moved")
    ]
    assert shown == [("k1", 4, 5), ("k2", 2, 3)]
    memory_command("export", str(second), "--scope", "shared:moved", **server.environment)
    assert second.read_bytes() == first.read_bytes()
    assert service.client.put("/memory/shared:moved/next", json=1).is_success
    assert service.client.get("/memory/shared:moved/next").json()["seq"] == 7


def test_no_secret_is_told(with_gate: Path, start: Start, tmp_path: Path) -> None:
    with redis_server(tmp_path / "locked", "--requirepass", "another") as server:
        url = f"redis://me:{SECRET}@127.0.0.1:{server.port}/0"
        service = start(with_gate, MEMORY_BACKEND="redis", REDIS_URL=url)
        said = [
            service.client.get(path).text
            for path in ("/health", "/health/ready", "/memory/shared:notes", "/openapi.json")
        ]
        said.append(service.run("an idea").text)
        service.stop()
        assert f"redis, redis://127.0.0.1:{server.port}/0" in service.log
        assert "refuses the user name or the password" in service.log
        assert SECRET not in service.log + "".join(said)


@pytest.mark.parametrize("module", ["redis", "hiredis"])
def test_without_the_package_the_start_says_what_to_install(with_gate: Path, module: str) -> None:
    said = refused_start(with_gate, without=module, MEMORY_BACKEND="redis")
    assert f"needs the package redis[hiredis]; {module} is missing" in said
    assert "pip install -r generated/requirements-redis.txt" in said


class TestOwn:
    """The class of the guide, in a service."""

    @pytest.fixture
    def root(self, with_gate: Path, tmp_path: Path) -> Path:
        shutil.copytree(with_gate / "generated", tmp_path / "generated")
        (code,) = (block for block in blocks(GUIDE / "memory.md") if block.kind == "python")
        (tmp_path / "my_memory.py").write_text(code.text)
        (setting,) = (block for block in blocks(GUIDE / "memory.md") if block.kind == "yaml")
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "runtime.yaml").write_text(setting.text)
        return tmp_path

    def test_it_keeps_memory(self, root: Path, start: Start) -> None:
        service = start(root)
        assert service.run("an idea", "S-1").json()["status"] == "pending"
        assert service.run("an idea", "S-1", decision=GO_ON).json()["status"] == "success"
        assert [entry["key"] for entry in memory(service, "shared:notes")] == ["second", "first"]
        health = service.client.get("/health").json()
        assert (health["memory"]["backend"], health["memory"]["reachable"]) == ("sqlite", True)
        assert "memory    my_memory:SqliteMemory" in service.log
        (root / "memory.db").write_text("no database at all, though long enough to be one" * 100)
        service.wait_until(lambda: ready(service) == 503)
        assert service.client.get("/memory/shared:notes").status_code == 503

    @pytest.mark.parametrize(
        ("code", "says"),
        [
            ("", "my_memory has no SqliteMemory"),
            ("import absent_package", "my_memory cannot be imported"),
            ("SqliteMemory = 1", "is no class"),
            ("class SqliteMemory:\n    pass", "cannot be made with the memory settings: TypeError"),
            (
                "class SqliteMemory:\n    backend = 'x'\n    def __init__(self, settings): ...",
                "has no get, entries, history, put, delete, scopes, dump, load, check, close",
            ),
        ],
    )
    def test_what_is_no_memory_stops_the_start(self, root: Path, code: str, says: str) -> None:
        (root / "my_memory.py").write_text(code)
        assert says in refused_start(root)
