"""BMAD v6 over HTTP: every workflow to its end, and what each step's model was shown."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import corpus
from tests.cases.walk import FOLDER
from tests.conftest import StartService
from tests.project import Project
from tests.service import Service
from tests.stand_in import StandIn

CURRENT = "bmad-code-org__BMAD-METHOD@v6.11.0"


@pytest.fixture(scope="module")
def current() -> Path:
    return corpus.project(CURRENT)


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


EPICS = "bmad-create-epics-and-stories"
NEEDS = "# Epics\n\n## Needs\n\nFR1: Two share one list."
STORIES = f"{NEEDS}\n\n## Epic 1: Share\n\n### Story 1.1: Invite\n\n### Story 1.2: Tick off"
SAID = {
    f"{EPICS}/steps/step-01-validate-prerequisites.md\n\n": NEEDS,
    f"{EPICS}/steps/step-02-design-epics.md\n\n": f"{NEEDS}\n\n## Epic 1: Share",
    f"{EPICS}/steps/step-03-create-stories.md\n\n": STORIES,
    f"{EPICS}/steps/step-04-final-validation.md\n\n": f"{STORIES}\n\nAll needs are met.",
    "### tasks/bmad-prd/SKILL.md\n": "# PRD\n\nA list that two share.",
    "### tasks/bmad-ux/SKILL.md\n": "# UX\n\nOne screen.",
    "### tasks/bmad-architecture/SKILL.md\n": "# Architecture\n\nOne service.",
    "### tasks/bmad-sprint-planning/SKILL.md\n": "Story 1.1: ready",
    "### tasks/bmad-build/SKILL.md\n": "diff --git a b",
}


def test_the_modules_flow_from_an_idea_to_stories_with_answers_of_a_provider(
    published: Project, aimock: StandIn, service: StartService, tmp_path: Path
) -> None:
    aimock.load(
        [{"match": {"userMessage": said}, "response": {"content": SAID[said]}} for said in SAID]
    )
    data = {"BMAD_DATA_DIR": str(tmp_path / "data")}
    running = service(published.root, environment=aimock.environment | data)
    body = {"flow": "bmm", "input": "A shared shopping list", "story_id": "S-1"}
    body |= {"inputs": {"optional": {"bmad-ux": True}}}
    stream = running.client.post("/run", json=body, headers={"accept": "text/event-stream"})
    events = [json.loads(line) for line in re.findall(r"^data: (.*)$", stream.text, re.MULTILINE)]
    answer = events[-1]["answer"]
    assert answer["status"] == "success", answer["error"]
    done = [event["step"] for event in events if event["type"] == "step.completed"]
    chain = [f"{EPICS}.{step}" for step in CHAIN]
    assert [step for step in done if "." in step] == [
        "bmad-prd.bmad-prd",
        "bmad-ux.bmad-ux",
        "bmad-architecture.bmad-architecture",
        *chain,
        "bmad-sprint-planning.bmad-sprint-planning",
        "bmad-build.bmad-build",
    ]
    skipped = [event["step"] for event in events if event["type"] == "step.skipped"]
    assert skipped == answer["skipped"]
    assert skipped[:3] == ["bmad-brainstorming", "bmad-product-brief", "bmad-prfaq"]
    _has_left_its_documents(running)
    _has_shown_what_it_had_made(aimock)
    graph = running.client.get("/flow/bmm/graph").text
    assert 's5[["bmad-ux<br/>optional"]]' in graph
    assert "s5 --> s6" in graph


CHAIN = (
    "step-01-validate-prerequisites",
    "step-02-design-epics",
    "step-03-create-stories",
    "step-04-final-validation",
)


def _has_left_its_documents(running: Service) -> None:
    listed = running.client.get("/doc").json()["documents"]
    documents = {each["id"] for each in listed if "." not in each["id"]}  # others are by step
    names = ("prd", "ux-design", "architecture", "epics-and-stories", "sprint-status")
    assert documents == {f"S-1__{name}" for name in (*names, "spec-and-project-implementation")}
    epics = running.client.get("/doc/S-1__epics-and-stories")
    assert epics.text.strip().endswith("### Story 1.2: Tick off\n\nAll needs are met.")
    found = running.client.get("/doc/S-1__epics-and-stories/revisions").json()["revisions"]
    steps = [each["author"]["step"] for each in found]
    assert sorted(steps) == [f"agent:{EPICS}.{step}#1" for step in CHAIN]


def _has_shown_what_it_had_made(aimock: StandIn) -> None:
    messages = [_shown(entry)[1] for entry in aimock.journal()]
    prd, ux, architecture, *epics, _, build = messages
    assert "A list that two share." not in prd
    assert "A list that two share." in ux
    assert "### ux-design\n\n# UX" in architecture
    begun = [f"### epics-and-stories\n\n{NEEDS}" in each for each in epics]
    assert begun == [False, True, True, True]
    assert "### Story 1.1: Invite" in epics[3]
    assert "All needs are met." in build


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
