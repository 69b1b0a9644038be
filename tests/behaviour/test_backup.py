"""`python -m generated backup` and `restore`, from files to Redis and back: equal over HTTP."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.conftest import MakeProject, StartService
from tests.process import clean_environment
from tests.redis_server import redis_server
from tests.service import Service

SCOPES = ("analyst:S-1", "analyst:S-2", "shared:notes")


def command(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "generated", *arguments],
        cwd=root,
        env=clean_environment(environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def fill(running: Service) -> None:
    assert running.run("an idea").status_code == 200
    client = running.client
    for number in range(4):
        for scope in SCOPES:
            put = client.put(
                f"/memory/{scope}/k{number % 3}",
                json={"n": [number, "Größe"]},
                params={"category": "quality_insight"} if number % 2 else {},
            )
            assert put.status_code == 200
        text = f"# {number}\r\n".encode()
        headers = {"content-type": "text/markdown"}
        assert client.put("/doc/S-1__prd", content=text, headers=headers).status_code < 300
    assert client.delete("/memory/shared:notes/k1").status_code == 200


def answers(running: Service) -> dict[str, Any]:
    """What a client is told of memory and documents."""
    client = running.client
    found: dict[str, Any] = {}
    for scope in SCOPES:
        entries = client.get(f"/memory/{scope}").json()["entries"]
        found[scope] = entries
        for key in ("k0", "k1", "k2"):
            read = client.get(f"/memory/{scope}/{key}", params={"history": "true"})
            found[f"{scope}/{key}"] = read.json().get("history")
    found["list"] = client.get("/doc").json()
    for info in found["list"]["documents"]:
        read = client.get(f"/doc/{info['id']}")
        revisions = client.get(f"/doc/{info['id']}/revisions").json()
        found[info["id"]] = (read.content, read.headers["etag"], revisions)
    question = {"agent_id": "analyst", "query": "größe 3", "story_id": "S-1"}
    found["context"] = client.post("/memory/context", json=question).json()
    return found


def test_from_files_to_redis_and_back(
    project: MakeProject, service: StartService, tmp_path: Path
) -> None:
    made = project({"agents/analyst.md": "---\nmemory_scope: isolated\n---\nFind facts.\n"})
    made.generate()
    root = made.root

    def place(name: str, **environment: str) -> Mapping[str, str]:
        return {"BMAD_DATA_DIR": str(tmp_path / name), **environment}

    first = service(root, place("first"))
    fill(first)
    saved = command(root, "backup", str(tmp_path / "1.zip"), **place("first"))
    assert (saved.returncode, saved.stdout) == (0, ""), saved.stderr
    assert "3 scopes with 14 writes and 2 documents with 5 revisions" in saved.stderr
    wanted = answers(first)
    assert len(wanted["context"]["entries"]) == 3
    again = command(root, "backup", str(tmp_path / "1.zip"), **place("first"))
    assert (again.returncode, "choose another name" in again.stderr) == (2, True)
    first.client.put("/memory/analyst:S-1/k0", json="changed, größe 3")
    first.client.delete("/memory/shared:notes/k2")
    first.client.put("/doc/S-1__prd", content=b"x", headers={"content-type": "text/markdown"})
    assert answers(first) != wanted
    done = command(root, "restore", str(tmp_path / "1.zip"), **place("first"))
    assert done.returncode == 0, done.stderr
    memory, documents = tmp_path / "first" / "memory", tmp_path / "first" / "docs"
    assert f"memory: file, {memory}; documents: {documents}\n" in done.stderr
    assert answers(first) == wanted  # what it served all the while is as it was
    checked = command(root, "restore", "--check", str(tmp_path / "1.zip"))
    assert (checked.returncode, "is whole" in checked.stderr) == (0, True)

    with redis_server(tmp_path / "server") as server:
        second = place("second", **server.environment)
        served = service(root, second)  # a restore does not need it to stand still
        done = command(root, "restore", str(tmp_path / "1.zip"), **second)
        assert done.returncode == 0, done.stderr
        assert "\nmemory: redis, redis://" in done.stderr
        assert answers(served) == wanted
        saved = command(root, "backup", str(tmp_path / "2.zip"), **second)
        assert saved.returncode == 0, saved.stderr

    done = command(root, "restore", str(tmp_path / "2.zip"), **place("third"))
    assert done.returncode == 0, done.stderr
    assert answers(service(root, place("third"))) == wanted


def test_a_restore_that_was_cut_off_is_told_at_the_start(
    project: MakeProject, service: StartService
) -> None:
    made = project({"agents/analyst.md": "Find facts.\n"})
    made.generate()
    mark = made.root / "memory" / ".restore"
    mark.parent.mkdir()
    mark.write_text('{"archive": "1.zip", "began": "2026-01-02T03:04:05.678Z"}\n')
    log = service(made.root).log
    assert "warning   the restore of 1.zip that began at 2026-01-02T03:04:05.678Z" in log
    missing = command(made.root, "restore", "absent.zip")
    assert missing.returncode == 2
    assert "there is no file absent.zip" in missing.stderr
