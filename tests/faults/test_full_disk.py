"""A service whose disk is full: 507, nothing that was acknowledged is lost, and it recovers."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartService
from tests.faults.disk import Disk, Limit, SmallDisk
from tests.faults.rounds import ROUNDS
from tests.process import clean_environment
from tests.project import GO_ON, WITH_GATE, Project
from tests.service import Service

MARKDOWN = {"content-type": "text/markdown"}
# The planted fault: a store that does not look at what came of its write.
CARELESS = """
import os, runpy, sys
from generated.runtime.stores import journal
def write(self, data):
    try:
        os.write(self._fd, data)
    except OSError:
        pass
journal.Journal._write = write
sys.argv = ["generated"]
runpy.run_module("generated", run_name="__main__")
"""

Kept = dict[str, Any]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Project(tmp_path_factory.mktemp("full")).write(WITH_GATE)
    made.generate()
    return made.root


@pytest.fixture(params=[SmallDisk, Limit])
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Disk]:
    made: SmallDisk | Limit = request.param(tmp_path / "data")
    try:
        yield made
    finally:
        made.close()


Begin = Callable[..., Service]


@pytest.fixture
def begin(root: Path, disk: Disk, service: StartService) -> Begin:
    """A service on that disk."""

    def start(**more: Any) -> Service:
        return service(root, {"BMAD_DATA_DIR": str(disk.folder)}, **more)

    return start


def status(running: Service, path: str) -> int:
    return running.client.get(path).status_code


def put_memory(running: Service, key: str, value: object) -> int:
    return running.client.put(f"/memory/shared:a/{key}", json=value).status_code


def put_document(running: Service, name: str, text: str) -> int:
    answer = running.client.put(f"/doc/{name}", content=text.encode(), headers=MARKDOWN)
    return answer.status_code


def there(running: Service) -> Kept:
    """What a client is told of all that is kept."""
    client = running.client
    entries = client.get("/memory/shared:a").json()["entries"]
    found: Kept = {entry["key"]: entry["value"] for entry in entries}
    for info in client.get("/doc").json()["documents"]:
        found[info["id"]] = client.get(f"/doc/{info['id']}").text
    return found


def lost(acknowledged: Kept, found: Kept) -> list[str]:
    """What was answered with success and is not there."""
    return [name for name, value in acknowledged.items() if found.get(name) != value]


def verified(root: Path, disk: Disk) -> int:
    done = subprocess.run(
        [sys.executable, "-m", "generated", "memory", "verify"],
        cwd=root,
        env=clean_environment({"BMAD_DATA_DIR": str(disk.folder)}),
        capture_output=True,
        check=False,
    )
    return done.returncode


def refuses(running: Service) -> None:
    """What there is no room for is 507, and said to whoever asks for the service's health."""
    assert put_memory(running, "k0", "new" * 3000) == 507
    assert put_memory(running, "k9", "new" * 3000) == 507
    assert put_document(running, "S-1__note", "x" * 9000) == 507
    assert put_document(running, "new", "x") == 507
    for text, story_id, more in (("an idea", "S-1", {"decision": GO_ON}), ("another", "S-2", {})):
        failed = running.run(text, story_id, **more)
        assert (failed.status_code, failed.json()["error"]["code"]) == (507, "store_failed")
    running.wait_until(lambda: status(running, "/health/ready") == 503)
    assert "cannot hold" in running.client.get("/health/ready").json()["reason"]
    health = running.client.get("/health")
    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    assert status(running, "/health/live") == 200


def test_a_full_disk_is_507_and_passes(begin: Begin, disk: Disk, root: Path) -> None:
    running = begin()
    kept: Kept = {f"k{number}": f"value {number}" for number in range(5)}
    for key, value in kept.items():
        assert put_memory(running, key, value) == 200
    kept["S-1__note"] = "# A note"
    assert put_document(running, "S-1__note", kept["S-1__note"]) == 201
    pending = running.run("an idea", "S-1").json()
    assert pending["status"] == "pending"
    before = there(running)

    disk.fill(running.pid)
    refuses(running)
    assert there(running) == before
    question = {"agent_id": "first", "query": "note", "limit": 1}
    assert running.client.post("/memory/context", json=question).status_code == 200

    disk.clear(running.pid)
    running.wait_until(lambda: status(running, "/health/ready") == 200)
    assert put_memory(running, "k0", "new") == 200
    assert put_document(running, "S-1__note", "# New") == 200
    assert running.client.delete("/memory/shared:a/k1").status_code == 200
    del kept["k1"]
    done = running.run("an idea", "S-1", decision=GO_ON).json()
    assert (done["status"], done["run_id"]) == ("success", pending["run_id"])
    assert running.run("another", "S-2").json()["status"] == "pending"
    running.signal(signal.SIGKILL)
    after = there(begin())
    assert lost({**kept, "k0": "new", "S-1__note": "# New"}, after) == []
    assert "k1" not in after
    assert verified(root, disk) == 0


def fill_under_load(running: Service, disk: Disk, writes: int) -> tuple[Kept, set[int]]:
    """Clients write while the disk gets full; what was acknowledged, and all answers."""
    kept: Kept = {}
    statuses = set()
    numbers = itertools.count()

    def write(_: int) -> None:
        number = next(numbers)
        if number == writes // 3:
            disk.fill(running.pid)
        text = f"{number} ".ljust(3000, "x")
        if number % 2:
            answer = put_memory(running, f"k{number}", text)
        else:
            answer = put_document(running, f"d{number}", text)
        statuses.add(answer)
        if answer < 300:
            kept[f"{'k' if number % 2 else 'd'}{number}"] = text

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(writes)))
    return kept, statuses


def test_a_disk_that_gets_full_under_load(begin: Begin, disk: Disk, root: Path) -> None:
    writes = 150 * ROUNDS if isinstance(disk, Limit) else 150
    running = begin()
    kept, statuses = fill_under_load(running, disk, writes)
    assert statuses == {200, 201, 507}
    assert lost(kept, there(running)) == []
    running.signal(signal.SIGKILL)
    disk.clear(running.pid) if isinstance(disk, SmallDisk) else None
    again = begin()
    assert lost(kept, there(again)) == []
    assert put_memory(again, "after", 1) == 200
    assert verified(root, disk) == 0


def test_a_store_that_looks_away_is_found_out(begin: Begin, disk: Disk) -> None:
    running = begin(command=("-c", CARELESS))
    kept, statuses = fill_under_load(running, disk, 60)
    assert statuses >= {200, 507}
    assert lost(kept, there(running)) != []
