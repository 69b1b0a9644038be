"""BMAD v6 over HTTP: every workflow to its end, and what each step's model was shown."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cases.walk import FOLDER
from tests.project import ROOT, Project
from tests.service import Service
from tests.stand_in import StandIn

CURRENT = "bmad-code-org__BMAD-METHOD@v6.11.0"


@pytest.fixture(scope="module")
def current() -> Path:
    corpus = Path(os.environ.get("BMAD2PF_CORPUS") or ROOT.parent / "shared" / "corpus")
    if not (corpus / CURRENT).is_dir():
        pytest.skip("no corpus of agent files beside the checkout")
    return corpus / CURRENT


@pytest.fixture(scope="module")
def published(current: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("v6"))
    done = made.compile("--src", str(current), "--output-format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    findings = json.loads(done.stdout)["findings"]
    assert {each["severity"] for each in findings} <= {"warning", "note"}
    assert all(each["path"] and each["line"] for each in findings)
    return made


@pytest.fixture(scope="module")
def served(published: Project) -> Iterator[Service]:
    service = Service(published.root, log=published.root / "log", environment={"TESTING": "1"})
    service.wait_until_live()
    yield service
    service.stop()


def flows_of(made: Project) -> list[str]:
    graphs = sorted((made.out / "graphs").glob("*.json"))
    return [json.loads(path.read_text("utf-8"))["flow"] for path in graphs]


def optional_of(made: Project) -> dict[str, bool]:
    text = "\n".join(path.read_text("utf-8") for path in (made.out / "flows").glob("*.py"))
    return dict.fromkeys(re.findall(r'inputs\.optional\["([\w-]+)"\]', text), True)


def test_every_agent_and_every_workflow_is_there(published: Project, current: Path) -> None:
    skills = [path.parent for path in current.glob("**/SKILL.md")]
    agents = {
        folder.name
        for folder in skills
        if (folder / "customize.toml").exists()
        and "\n[agent]" in (folder / "customize.toml").read_text("utf-8")
    }
    modules = {path.stem.replace("_", "-") for path in (published.out / "agents").glob("*.py")}
    assert len(agents) == 5
    assert agents <= modules
    assert {folder.name for folder in skills} - agents <= set(flows_of(published))


def test_every_workflow_runs_to_its_end(published: Project, served: Service) -> None:
    inputs = {"optional": optional_of(published)}
    for flow in flows_of(published):
        answer = served.run("A shared shopping list", f"S-{flow}", flow=flow, inputs=inputs).json()
        assert (answer["status"], answer["skipped"]) == ("success", []), (flow, answer)


def test_optional_steps_are_skipped_without_a_word(served: Service) -> None:
    answer = served.run("A shared shopping list", "S-plain", flow="bmm").json()
    assert answer["status"] == "success"
    assert "bmad-ux" in answer["skipped"]
    assert "bmad-prd" not in answer["skipped"]
    assert served.client.get("/doc/S-plain__prd").status_code == 200
    assert served.client.get("/doc/S-plain__epics-and-stories").status_code == 200


FIXTURES = [
    {"match": {"userMessage": "Taste it."}, "response": {"content": "Rye tastes best."}},
    {"match": {"userMessage": "# Step 1: Look"}, "response": {"content": "The shelf is empty."}},
    {"match": {"userMessage": "# Step 2: Choose"}, "response": {"content": "# Plan\n\nRye."}},
    {"match": {"userMessage": "Order it"}, "response": {"content": "Ten sacks of rye."}},
]


@pytest.fixture
def shop(tmp_path: Path, aimock: StandIn) -> Iterator[Service]:
    shutil.copytree(FOLDER / "v6-skills" / "bmad", tmp_path / "bmad")
    made = Project(tmp_path)
    assert made.compile().returncode == 0
    aimock.load(FIXTURES)
    service = Service(tmp_path, log=tmp_path / "log", environment=aimock.environment)
    yield service.wait_until_live()
    service.stop()


def _shown(entry: dict[str, Any]) -> tuple[str, str]:
    system, user = (message["content"] for message in entry["body"]["messages"])
    return system, user


def test_each_step_sees_its_persona_task_template_and_documents(
    shop: Service, aimock: StandIn
) -> None:
    inputs = {"optional": {"shop-taste": True}}
    answer = shop.run("Bread", "S-1", flow="shop", inputs=inputs).json()
    assert answer["status"] == "success", answer
    taste, look, choose, buy = map(_shown, aimock.journal())
    assert "You carry out the workflow shop-taste." in taste[0]
    for system, _ in (look, choose, buy):
        assert "You are Ada, Keeper." in system
        assert "Very short sentences." in system
        assert "- Ask the baker first." in system
    assert "**Goal:** a plan" in look[1]
    assert "Load Config" not in look[1]
    assert '{{shelf}} with "quotes", `{date}` and `${HOME}`' in look[1]
    assert "Rye tastes best." in look[1]
    assert "The shelf is empty." in choose[1]
    assert "templates/shop-plan/templates/plan-template.md" in choose[1]
    assert "Tell the baker." in choose[1]
    assert "# Plan\n\nRye." in buy[1]
    assert "./orders" in buy[1]
    assert shop.client.get("/doc/S-1__orders").text.strip() == "Ten sacks of rye."


def test_a_command_shows_what_it_is_bound_to(shop: Service, aimock: StandIn) -> None:
    aimock.load([{"match": {"userMessage": "Order it"}, "response": {"content": "Two sacks."}}])
    body = {"input": "Now", "story_id": "S-2", "command": "BU"}
    answer = shop.client.post("/agent/shop-agent-keeper/run", json=body)
    assert answer.status_code == 200, answer.text
    assert "Order it into ./orders." in _shown(aimock.journal()[0])[1]
