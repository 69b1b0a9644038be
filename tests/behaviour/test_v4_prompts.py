"""BMAD v4 as published: what each step of each workflow is really sent.

What ought to be there is read from the foreign files by `bench.declared`, without the compiler.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench import declared
from bench.declared import Step, Workflow, squashed
from tests import corpus
from tests.behaviour.test_v4 import compiled, source, wishes

Prompt = tuple[str, str, str]  # step, the system's text, the message
TOKENS = 12_000  # of a step's fixed prompt, at four characters each
VARIES = re.compile(r"^## (?:Results of earlier steps|Documents)$", re.MULTILINE)
WAYS = 3  # at most so many ways can be chosen at a step

LOOK = """
import asyncio, json, sys
from pathlib import Path
from generated.flows import FLOWS
from generated.runtime.assets import Assets
from generated.runtime.context import FlowContext
from generated.runtime.events import EventLog
from generated.runtime.models.mock import MockLLM, built_answer
from generated.runtime.runner import MemoryRunner
from generated.runtime.services import Services

class Approving(MemoryRunner):
    async def human(self, ticket, question):
        return {"output": {"action": question.actions[0]}, "action": question.actions[0]}

def look(flow, way, offered):
    seen = []
    def answer(request):
        again = request.step in {step for step, *_ in seen}
        seen.append((request.step, request.system, request.messages[0].content))
        actions = request.actions
        if not actions or again:
            return built_answer(request)
        offered.update(set(actions) - {"approve", "revise"})
        chosen = "revise" if "revise" in actions else actions[min(way, len(actions) - 1)]
        return json.dumps({"answer": f"Of {request.step}.", "action": chosen})
    services = Services(model=MockLLM(answer), assets=Assets(Path("generated/assets")))
    runner = Approving(EventLog("look"))
    context = FlowContext("IDEA", services=services, inputs=json.loads(sys.argv[1]), runner=runner)
    asyncio.run(FLOWS[flow].build().run_async(context))
    return seen

def looks(flow):
    offered = set()
    found = [look(flow, 0, offered)]
    ways = range(1, int(sys.argv[2])) if len(offered) > 1 else ()
    return found + [look(flow, way, offered) for way in ways]

print(json.dumps({flow: looks(flow) for flow in FLOWS}))
"""


@pytest.fixture(scope="module")
def project() -> Path:
    name = "bmad-code-org__BMAD-METHOD@v4.44.3"
    return source(corpus.project(name).parent, name)


@pytest.fixture(scope="module")
def sent(project: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[list[Prompt]]]:
    """By flow, all that was sent in order, once for each way that can be chosen."""
    made, _ = compiled(project, tmp_path_factory.mktemp("v4-prompts"))
    done = subprocess.run(
        [sys.executable, "-c", LOOK, json.dumps(wishes(made)), str(WAYS)],
        cwd=made.root,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[list[Prompt]]] = json.loads(done.stdout)
    return found


def matched(workflow: Workflow, prompts: list[Prompt], words: list[str]) -> dict[int, Prompt]:
    """Which step is which prompt: the next one in order that says what the step says.

    `words` are the messages, squashed.
    """
    found: dict[int, Prompt] = {}
    begin = 0
    for number, step in enumerate(workflow.steps):
        said = squashed(step.says.replace("{root}/", ""))
        for place in range(begin, len(prompts)):
            if said and said in words[place]:
                found[number] = prompts[place]
                begin = place + 1
                break
    return found


def lacking(project: Path, step: Step, prompt: Prompt) -> list[str]:
    """What a step's prompt ought to show and does not."""
    _, system, message = prompt
    found = []
    persona = step.persona
    if persona is not None:
        if not system.startswith(f"You are {persona.name}"):
            found.append(f"name {persona.name}")
        if squashed(persona.role) not in squashed(system):
            found.append(f"role {persona.role}")
    found += [f"document {each}" for each in step.requires if f"### {each}\n" not in message]
    found += [f"file {each}" for each in files_of(project, step) if each not in message]
    return found


def files_of(project: Path, step: Step) -> list[str]:
    """The files by name that a step is about: what `uses` names, the template of its document."""
    homes = [project / "bmad-core"]
    homes += [step.persona.path.parent.parent] if step.persona else []
    names = {
        path.stem
        for home in homes
        for kind in ("tasks", "templates", "checklists")
        for path in home.glob(f"{kind}/*")
    }
    used = [Path(each).stem for each in step.uses]
    found = [each for each in used if each in names]
    templates = step.persona.files.get("templates", []) if step.persona else []
    starts = (f"{step.creates}-tmpl", f"{step.creates}-template")
    if step.creates and not any("tmpl" in each for each in found):
        found += [each for each in templates if each.startswith(starts)][:1]
    return found


def test_each_step_of_each_workflow_is_sent_what_its_author_wrote(
    project: Path, sent: dict[str, list[list[Prompt]]]
) -> None:
    crew = declared.personas(project)
    assert len(crew) >= 30
    wrong: list[str] = []
    nobody: list[str] = []
    steps = 0
    flows = [[(run, [squashed(each[2]) for each in run]) for run in runs] for runs in sent.values()]
    for workflow in declared.workflows(project, crew):
        tries = [
            {
                number: prompt
                for run, words in runs
                for number, prompt in matched(workflow, run, words).items()
            }
            for runs in flows
        ]
        best = max(tries, key=len)
        for number, step in enumerate(workflow.steps):
            if step.persona is None:  # `various`, or an agent that the project has not
                nobody.append(step.agent)
                continue
            steps += 1
            at = f"{workflow.path.relative_to(project)} {workflow.name} {number} {step.agent}"
            if number not in best:
                wrong.append(f"{at}: nothing is sent that says {step.says[:60]!r}")
            else:
                wrong += [f"{at}: lacks {each}" for each in lacking(project, step, best[number])]
    assert steps > 150
    assert set(nobody) == {"various", "solution-architect", "game-dev"}
    assert not wrong, "\n".join(wrong)


def test_each_step_sees_its_persona_task_template_and_documents(
    sent: dict[str, list[list[Prompt]]],
) -> None:
    seen = {step: (system, message) for step, system, message in sent["greenfield-service"][0]}
    cycle = "story-cycle.1."
    wanted = {
        "analyst-project-brief": ("You are Mary", ["templates/project-brief-tmpl.yaml"]),
        "pm-prd": ("You are John", ["templates/prd-tmpl.yaml", "### project-brief\n"]),
        "architect-architecture": ("You are Winston", ["architecture-tmpl.yaml", "### prd\n"]),
        "po-validates": ("You are Sarah", ["po-master-checklist.md", "### architecture\n"]),
        "po-shard-documents": ("You are Sarah", ["tasks/shard-doc.md", "### prd\n"]),
        f"{cycle}sm-create-story": ("You are Bob", ["create-next-story.md", "## Item (1 of 1)"]),
        f"{cycle}dev-implement-story": ("You are James", ["### story\n", "Implement story."]),
        f"{cycle}qa-review-implementation": ("You are Quinn", ["### implementation_files\n"]),
    }
    for step, (persona, parts) in wanted.items():
        system, message = seen[step]
        assert system.startswith(persona), step
        for part in parts:
            assert part in message, (step, part)
    assert "## Goals and Background Context" in seen["pm-prd"][1], "the template as an outline"
    assert "Greet" not in "".join(system for system, _ in seen.values())


def test_no_fixed_prompt_is_too_long(sent: dict[str, list[list[Prompt]]]) -> None:
    """What comes of earlier steps is left out; what the compiler puts there is counted."""
    lengths = {
        f"{flow}: {step}": (len(system) + len(VARIES.split(message)[0])) // 4
        for flow, runs in sent.items()
        for step, system, message in (prompt for run in runs for prompt in run)
    }
    worst = max(lengths, key=lambda step: lengths[step])
    assert lengths[worst] <= TOKENS, f"{worst} has {lengths[worst]} tokens"
