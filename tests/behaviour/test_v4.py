"""BMAD v4 as it was published: compiled, served, and every workflow run to its end."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.runtime.template import outline
from tests.conftest import StartService
from tests.corpus import CORPUS
from tests.project import Project
from tests.service import Service
from tests.stand_in import StandIn

FORKS = ("Ragnarok3s__Bmad-Method-v3", "fmt-mgj__*", "bmad-code-org__BMAD-METHOD@v4.0.0")


def source(corpus: Path, name: str) -> Path:
    found = sorted(corpus.glob(name))
    if not found:
        pytest.skip(f"{name} is not there")
    return found[0]


def compiled(src: Path, root: Path) -> tuple[Project, list[dict[str, Any]]]:
    """The project and what was found."""
    made = Project(root)
    done = made.compile("--src", str(src), "--output-format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    findings: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
    return made, findings


@pytest.fixture(scope="module")
def published(
    corpus_of_module: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Project, list[dict[str, Any]]]:
    src = source(corpus_of_module, "bmad-code-org__BMAD-METHOD@v4.44.3")
    return compiled(src, tmp_path_factory.mktemp("v4"))


@pytest.fixture(scope="module")
def served(published: tuple[Project, list[dict[str, Any]]]) -> Iterator[Service]:
    made, _ = published
    with_log = made.root / "service.log"
    service = Service(made.root, log=with_log, environment={"TESTING": "1"}).wait_until_live()
    yield service
    service.stop()


@pytest.fixture(scope="module")
def corpus_of_module() -> Path:
    if not CORPUS.is_dir():
        pytest.skip("no corpus of agent files beside the checkout")
    return CORPUS


def graphs(made: Project) -> dict[str, dict[str, Any]]:
    found = (json.loads(p.read_text("utf-8")) for p in sorted((made.out / "graphs").glob("*.json")))
    return {graph["flow"]: graph for graph in found}


def wishes(made: Project) -> dict[str, dict[str, bool]]:
    """The inputs that let every step run that waits for one."""
    text = "\n".join(p.read_text("utf-8") for p in (made.out / "flows").glob("*.py"))
    conditions = re.findall(r"inputs\.conditions\.(\w+)", text)
    optional = re.findall(r'inputs\.optional\["([\w-]+)"\]', text)
    wished = {"conditions": conditions, "optional": optional}
    return {kind: dict.fromkeys(names, True) for kind, names in wished.items()}


def run_to_the_end(service: Service, flow: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """The answer; every gate is approved."""
    body: dict[str, Any] = {"flow": flow, "inputs": inputs}
    for _ in range(10):
        answer: dict[str, Any] = service.run("A shared shopping list", flow[:90], **body).json()
        if answer.get("status") != "pending":
            return answer
        gate = answer["pending_gates"][0]["gate"]
        body["decision"] = {"gate": gate, "action": "approve"}
    raise AssertionError(f"{flow} does not end")


def test_all_of_it_compiles_without_an_error(
    published: tuple[Project, list[dict[str, Any]]], corpus_of_module: Path
) -> None:
    made, findings = published
    src = source(corpus_of_module, "bmad-code-org__BMAD-METHOD@v4.44.3")
    agents = len(list(src.glob("**/agents/*.md")))
    assert len(list((made.out / "agents").glob("*.py"))) - 1 == agents == 38
    stems = {path.stem for path in src.glob("**/workflows/*.yaml")}
    sources = {re.sub(r"-stories$", "", flow) for flow in graphs(made)}
    assert len(stems) <= len(sources)
    assert {each["severity"] for each in findings} <= {"warning", "note"}
    assert all(each["line"] > 0 and each["path"].endswith((".md", ".yaml")) for each in findings)


def test_every_workflow_runs_to_its_end(
    published: tuple[Project, list[dict[str, Any]]], served: Service
) -> None:
    made, _ = published
    everything = wishes(made)
    for flow, graph in graphs(made).items():
        answer = run_to_the_end(served, flow, everything)
        assert answer["status"] == "success", (flow, answer)
        done = set(answer["results"])
        loops = {step["id"] for step in graph["steps"] if {"done"} == set(step["actions"])}
        assert {step["id"] for step in graph["steps"]} - done <= loops, flow


def test_without_any_word_conditions_skip_and_say_so(served: Service) -> None:
    answer = run_to_the_end(served, "greenfield-service", {})
    assert answer["status"] == "success"
    assert "pm-updates-prd" in answer["skipped"]
    assert "story-cycle.1.analyst-review-draft-story" in answer["skipped"]


@pytest.mark.parametrize("name", FORKS)
def test_forks_and_older_ones_compile(corpus_of_module: Path, tmp_path: Path, name: str) -> None:
    src = source(corpus_of_module, name)
    made, findings = compiled(src, tmp_path)
    assert all(each["line"] > 0 for each in findings)
    files = (path for path in src.glob("**/agents/*.md") if ".claude" not in path.parts)
    agents = [path for path in files if b"```y" in path.read_bytes()]
    assert len(list((made.out / "agents").glob("*.py"))) - 1 >= 0.95 * len(agents)


def test_a_command_is_run_with_its_task_and_template(served: Service) -> None:
    agent = served.client.get("/agent/pm").json()
    assert {"create-prd", "shard-prd"} <= set(agent["commands"])
    body = {"input": "A list", "story_id": "C-1", "command": "create-prd"}
    answer = served.client.post("/agent/pm/run", json=body).json()
    assert answer["status"] == "success"
    assert "templates/prd-tmpl.yaml" in answer["results"]["pm"]


def scripted(corpus: Path) -> list[dict[str, Any]]:
    """Answers of a provider, by what each step is told."""
    templates = source(corpus, "bmad-code-org__BMAD-METHOD@v4.44.3") / "bmad-core" / "templates"
    found = outline((templates / "prd-tmpl.yaml").read_text("utf-8"))
    assert found is not None
    prd = "# PRD\n\n" + "\n\n".join(f"{heading}\n\nText." for heading in found.headings)
    verdict = {"verdict": "fail", "summary": "A risk is missing", "items": []}
    stories = [{"epic": "1", "title": f"Story {n}", "text": f"As a user {n}"} for n in (1, 2)]
    answers = {
        "Your document lacks": "No.",
        "before creating project brief": "# Brief\n\nA list that two share.",
        "Creates PRD from project brief": prd,
        "Creates backend/service architecture": "# Architecture\n\nOne service.",
        "Validate: all artifacts.": json.dumps(verdict),
        "give it back unchanged": "Mended.",
        "Name the stories": json.dumps({"stories": stories}),
        "Create story.": "# Story\n\nAs a user",
        "Implement story.": "diff --git a b",
        "Review implementation.": json.dumps({"answer": "Fine.", "action": "approve"}),
    }
    return [
        {"match": {"userMessage": said}, "response": {"content": answer}}
        for said, answer in answers.items()
    ]


def test_from_an_idea_to_stories_with_answers_of_a_provider(
    published: tuple[Project, list[dict[str, Any]]],
    corpus_of_module: Path,
    aimock: StandIn,
    service: StartService,
    tmp_path: Path,
) -> None:
    made, _ = published
    aimock.load(scripted(corpus_of_module))
    data = {"BMAD_DATA_DIR": str(tmp_path / "data")}
    running = service(made.root, environment=aimock.environment | data).wait_until_live()
    body = {
        "flow": "greenfield-service",
        "input": "A shared shopping list",
        "story_id": "S-1",
        "inputs": {"optional": {"qa-review-implementation": True}},
    }
    stream = running.client.post("/run", json=body, headers={"accept": "text/event-stream"})
    events = [json.loads(line) for line in re.findall(r"^data: (.*)$", stream.text, re.MULTILINE)]
    answer = events[-1]["answer"]
    assert answer["status"] == "success", answer["error"]
    assert answer["results"]["po-validates"]["verdict"] == "fail"
    assert len(answer["results"]["story-cycle"]) == 2
    assert "pm-updates-prd" in answer["skipped"]
    assert "pm-mends-prd" not in answer["skipped"], "the verdict let it run"
    incomplete = {event["step"] for event in events if event["type"] == "step.incomplete"}
    assert "pm-prd" not in incomplete
    assert "architect-architecture" in incomplete
    documents = {each["id"] for each in running.client.get("/doc").json()["documents"]}
    assert {"S-1__prd", "S-1__architecture", "S-1__story__1", "S-1__story__2"} <= documents
    assert "# Story" in running.client.get("/doc/S-1__story__2").text
    graph = running.client.get("/flow/greenfield-service/graph").text
    assert "for each of stories" in graph
