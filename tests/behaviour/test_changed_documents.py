"""Make for documents, as a client sees it: edit one, say so, and only what is downstream runs."""

from __future__ import annotations

import json
from typing import Any

from tests.conftest import MakeProject, StartService
from tests.service import Service

AGENTS = {
    "agents/thinker.md": "Think.\n",
    "agents/maker.md": "---\ncreates: prd.md\n---\nMake the product document.\n",
    "agents/reader.md": "---\nwait_for: {docs: [prd.md]}\n---\nRead the product document.\n",
    "agents/closer.md": "Close.\n",
    "workflow.yaml": "flows: {default: {sequence: [thinker, maker, reader, closer]}}\n",
}


def events(child: Service, **fields: Any) -> list[dict[str, Any]]:
    body = {"input": "an idea", "story_id": "S-1", **fields}
    answer = child.client.post("/run", json=body, headers={"accept": "text/event-stream"})
    lines = answer.text.splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


def steps(found: list[dict[str, Any]], type: str) -> list[str]:
    return [event["step"] for event in found if event["type"] == type]


def test_an_edit_runs_only_what_is_downstream(project: MakeProject, service: StartService) -> None:
    made = project(AGENTS)
    made.generate()
    root = made.root
    child = service(root)
    first = child.run("an idea").json()
    assert first["status"] == "success"
    (root / "docs" / "S-1__prd.md").write_text("# By hand\n")
    child.kill()

    child = service(root)
    found = events(child, changed=["prd.md"])
    assert found[0]["reused_from"] == first["run_id"]
    assert steps(found, "step.reused") == ["thinker", "maker"]
    assert steps(found, "step.started") == ["reader", "closer"]
    answer = found[-1]["answer"]
    assert answer["status"] == "success"
    assert answer["usage"]["calls"] == 2
    assert "By hand" in answer["results"]["reader"]
    assert child.client.get("/doc/S-1__prd").text == "# By hand\n"

    revisions = child.client.get("/doc/S-1__prd/revisions").json()["revisions"]
    assert [revision["author"]["kind"] for revision in revisions] == ["disk", "agent"]
    assert revisions[1]["author"]["run_id"] == first["run_id"]
    diff = child.client.get("/doc/S-1__prd/diff").text
    assert "+# By hand\n" in diff

    assert steps(events(child), "step.started") == ["thinker", "maker", "reader", "closer"]
