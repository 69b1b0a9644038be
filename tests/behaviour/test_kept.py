"""Broken projects that were compiled with `--keep-going`: the service starts, and works."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cases import walk
from tests.conftest import StartService

KEPT = [name for name in walk.names() if walk.is_kept(name)]


@pytest.mark.parametrize("name", KEPT)
def test_what_is_left_of_a_broken_project_is_served(
    name: str, tmp_path: Path, service: StartService
) -> None:
    assert walk.run(name, tmp_path / "generated", "--keep-going").returncode == 1
    running = service(tmp_path, environment={"TESTING": "1"}).wait_until_live()
    lines = (walk.FOLDER / name / walk.KEPT).read_text(encoding="utf-8").splitlines()
    agents = running.client.get("/agent").json()["agents"]
    assert [f"agent {each['id']}" for each in agents] == [
        line for line in lines if line.startswith("agent")
    ]
    for agent in agents:
        answer = running.client.post(
            f"/agent/{agent['id']}/run", json={"input": "A list", "story_id": "S-1"}
        )
        assert answer.json()["status"] == "success", answer.text
