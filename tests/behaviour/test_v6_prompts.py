"""BMAD v6 as published, run over HTTP: what each step of each workflow is really sent.

What ought to be there is read from the foreign files by `bench.skills`, without the compiler.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bench import skills
from bench.declared import squashed
from bench.skills import Skill
from tests import corpus
from tests.behaviour.test_v6 import CURRENT, flows_of, optional_of
from tests.project import Project
from tests.service import Service

TOKENS = 12_000  # of a step's fixed prompt, at four characters each
VARIES = re.compile(r"^## (?:Results of earlier steps|Documents|Memory)", re.MULTILINE)
# What stands in skills for an editor: how to find settings, and to greet.
FOR_AN_EDITOR = frozenset(
    {
        "Resolve the Workflow Block",
        "Execute Prepend Steps",
        "Load Persistent Facts",
        "Load Config",
        "Greet the User",
        "Execute Append Steps",
    }
)
FACTS = "The project bakes bread."
MODULE = "bmm"

# A model of the service's own: it notes what it is sent, and answers with its step's name.
NOTING = """
import json
from pathlib import Path
from generated.runtime.models.mock import MockLLM

class Noting(MockLLM):
    provider = name = "noting"

    def __init__(self, settings):
        super().__init__(self.note)

    def note(self, request):
        sent = [request.run, request.step, request.agent, request.system]
        sent.append(request.messages[0].content)
        with Path("sent.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(sent) + "\\n")
        return f"Of {request.step}."
"""


class Prompt(NamedTuple):
    """What a step's model was sent."""

    step: str
    agent: str
    system: str
    message: str

    @property
    def words(self) -> str:
        return squashed(self.message)


class Sent(NamedTuple):
    """What `/run` answered and what was sent meanwhile, by flow, and by agent and command."""

    answers: dict[str, dict[str, Any]]
    flows: dict[str, list[Prompt]]
    commands: dict[tuple[str, str], Prompt]


@pytest.fixture(scope="module")
def source() -> Path:
    return corpus.project(CURRENT)


@pytest.fixture(scope="module")
def every(source: Path) -> dict[str, Skill]:
    return skills.skills(source)


@pytest.fixture(scope="module")
def sent(
    source: Path, every: dict[str, Skill], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sent]:
    made = Project(tmp_path_factory.mktemp("v6-prompts"))
    made.generate("--src", str(source))
    (made.root / "noting.py").write_text(NOTING, "utf-8")
    environment = {"LLM_PROVIDER": "noting:Noting"}
    service = Service(made.root, log=made.root / "log", environment=environment)
    service.wait_until_live()
    try:
        yield asked(made, service, every)
    finally:
        service.stop()


def asked(made: Project, service: Service, every: dict[str, Skill]) -> Sent:
    """Run every flow with all its steps, and every command of every agent."""
    body = {
        "inputs": {"optional": optional_of(made)},
        "documents": {"project-context": FACTS},
    }
    answers = {
        flow: service.run("IDEA", f"S-{flow}", flow=flow, **body).json() for flow in flows_of(made)
    }
    runs = {}
    for agent in (skill for skill in every.values() if skill.is_agent):
        for code in agent.menu:
            asks = {"input": "IDEA", "story_id": f"C-{agent.id}", "command": code}
            answer = service.client.post(f"/agent/{agent.id}/run", json=asks).json()
            runs[agent.id, code] = answer["run_id"]
    lines = map(json.loads, (made.root / "sent.jsonl").read_text("utf-8").splitlines())
    prompts: dict[str, list[Prompt]] = {}
    for run, *prompt in lines:
        prompts.setdefault(run, []).append(Prompt(*prompt))
    flows = {flow: prompts[answer["run_id"]] for flow, answer in answers.items()}
    return Sent(answers, flows, {key: prompts[run][0] for key, run in runs.items()})


def test_all_that_is_there_became_flows_and_runs_to_its_end(
    sent: Sent, every: dict[str, Skill]
) -> None:
    workflows = {skill.id for skill in every.values() if not skill.is_agent}
    assert set(sent.answers) == workflows | {MODULE}
    assert len(sent.answers) == 45
    for flow, answer in sent.answers.items():
        assert (answer["status"], answer["skipped"]) == ("success", []), flow


def lacking(skill: Skill, owner: Skill | None, prompt: Prompt) -> Iterator[str]:
    """What ought to be in each prompt of a skill, and is not."""
    if owner is None:
        if prompt.agent != skill.id:
            yield f"an agent of its own, not {prompt.agent}"
    else:
        yield from (f"{owner.id}: {each}" for each in lacking_of_persona(owner, prompt))
    yield from (
        f"text {each}"
        for each in skills.pieces(skills.body(skill.text, FOR_AN_EDITOR))
        if each not in prompt.words
    )
    yield from (
        f"setting {each}"
        for text in skills.leaves(settings_of(skill))
        for each in skills.pieces(text)
        if each not in prompt.words
    )
    for fact in skill.about.get("persistent_facts", ()):
        if fact.startswith("file:"):
            if f"### project-context\n\n{FACTS}" not in prompt.message:
                yield f"document {fact}"
        elif fact not in prompt.message:
            yield f"fact {fact}"
    known = squashed(prompt.system.partition("## Assets")[2])
    for name, text in skill.files.items():
        is_shown = all(piece in prompt.words for piece in skills.pieces(text))
        if not is_shown and squashed(f"{skill.id}/{name}") not in known:
            yield f"file {name}"


def settings_of(skill: Skill) -> dict[str, Any]:
    """What a skill's author may set; facts are looked for by themselves."""
    return {key: value for key, value in skill.about.items() if key != "persistent_facts"}


def lacking_of_persona(owner: Skill, prompt: Prompt) -> Iterator[str]:
    about = owner.about
    if not prompt.system.startswith(f"You are {about['name']}, {about['title']}."):
        yield "name"
    for key in ("role", "identity", "communication_style"):
        if about[key] not in prompt.system:
            yield key
    yield from (each for each in about["principles"] if f"- {each}\n" not in prompt.system)
    overview = owner.text.partition("## Overview\n")[2].partition("\n#")[0].strip()
    if not overview or overview not in prompt.system:
        yield "overview"


def strangers(skill: Skill, every: dict[str, Skill], prompt: Prompt) -> Iterator[str]:
    """Files of other skills that a skill's prompt speaks of, where its own text does not."""
    texts = [skill.text, *skill.files.values(), *skills.leaves(skill.about)]
    for home in re.findall(r"\b(?:tasks|templates|checklists|data)/(bmad-[\w-]+)/", prompt.message):
        own = (skill.id, skill.forwards)
        if home in every and home not in own and not any(home in text for text in texts):
            yield home


def test_each_step_of_each_workflow_is_sent_what_its_author_wrote(
    sent: Sent, every: dict[str, Skill]
) -> None:
    owners = skills.owners(every)
    wrong = []
    steps = 0
    for name, skill in every.items():
        if skill.is_agent:
            continue
        own = every[skill.forwards] if skill.forwards else skill
        files = own.steps or [""]
        prompts = sent.flows[name]
        if len(prompts) != len(files):
            wrong.append(f"{name}: {len(prompts)} steps, not {len(files)}")
        for file, prompt in zip(files, prompts, strict=False):
            steps += 1
            found = [*lacking(own, owners.get(own.id), prompt)]
            part = own.files.get(file, "")
            texts = [skills.body(part, frozenset()), *skills.own_values(part).values()]
            if skill.forwards:
                texts += [skills.body(skill.text, FOR_AN_EDITOR), *skills.leaves(skill.about)]
            found += [
                f"text of {file or name}: {each}"
                for text in texts
                for each in skills.pieces(text)
                if each not in prompt.words
            ]
            found += [f"a file of {each}" for each in strangers(skill, every, prompt)]
            wrong += [f"{name} {prompt.step}: {each[:120]}" for each in found]
    assert steps >= 50
    assert not wrong, f"{len(wrong)}\n" + "\n".join(wrong)


def test_what_is_for_an_editor_is_left_out(sent: Sent) -> None:
    """What the test above does not look for is not there: a service does all that by itself."""
    titles = "|".join(FOR_AN_EDITOR)
    heading = re.compile(rf"^#+ (?:Step \d+: )?(?:{titles})$", re.MULTILINE)
    leads = re.compile(r"^- (?:Bare paths?|`[\w.-]+`).*? resolves? (?:from|to) .*$", re.MULTILINE)
    told = {
        found[0]
        for prompts in sent.flows.values()
        for prompt in prompts
        for pattern in (heading, leads)
        for found in pattern.finditer(prompt.message)
    }
    assert not told


def test_the_modules_flow_goes_by_its_table(sent: Sent, source: Path) -> None:
    table = [row for row in skills.rows(source) if row.module == "BMad Method"]
    order = list(dict.fromkeys(step.partition(".")[0] for step, *_ in sent.flows[MODULE]))
    assert sorted(order) == sorted({row.skill for row in table})
    for row in table:
        assert not row.after or order.index(row.after) < order.index(row.skill), row
        assert not row.before or order.index(row.skill) < order.index(row.before), row
    plan, ship = (
        {order.index(row.skill) for row in table if (row.phase == "ship") is is_ship}
        for is_ship in (False, True)
    )
    assert max(plan) < min(ship)


def test_each_step_of_the_module_sees_what_all_before_it_have_made(
    sent: Sent, source: Path
) -> None:
    makes = {row.skill: row.makes for row in skills.rows(source) if row.makes}
    made: dict[str, str] = {}
    assert makes["bmad-create-epics-and-stories"] == "epics-and-stories"
    for prompt in sent.flows[MODULE]:
        workflow = prompt.step.partition(".")[0]
        for name, step in made.items():
            assert f"### {name}\n\nOf {step}." in prompt.message, (prompt.step, name)
        shown = re.findall(r"^### ([\w-]+)\n\nOf ", prompt.message, re.MULTILINE)
        assert set(shown) - set(made) <= {"step-01-gather-context", *sent_before(sent, prompt)}
        if workflow in makes:
            made[makes[workflow]] = prompt.step
    assert len(made) == 11


def sent_before(sent: Sent, prompt: Prompt) -> set[str]:
    """The steps before one in the module's flow: their results may be shown."""
    names = [each.step for each in sent.flows[MODULE]]
    return {part for name in names[: names.index(prompt.step)] for part in name.split(".")}


def test_every_item_of_a_menu_is_a_command_with_its_skill(
    sent: Sent, every: dict[str, Skill]
) -> None:
    wrong = []
    for (name, code), prompt in sent.commands.items():
        agent = every[name]
        asked, skill = agent.menu[code]
        wrong += [f"{name} {code}: {each}" for each in lacking_of_persona(agent, prompt)]
        texts = [asked, skills.body(every[skill].text, FOR_AN_EDITOR)]
        texts += skills.leaves(settings_of(every[skill]))
        wrong += [
            f"{name} {code}: {each[:120]}"
            for text in texts
            for each in skills.pieces(text)
            if each not in prompt.words
        ]
    assert len(sent.commands) == sum(len(each.menu) for each in every.values() if each.is_agent)
    assert len(sent.commands) > 20
    assert not wrong, "\n".join(wrong)


def test_no_fixed_prompt_is_too_long(sent: Sent) -> None:
    """What comes of earlier steps is left out; what the compiler puts there is counted."""
    lengths = {
        f"{flow}: {prompt.step}": (len(prompt.system) + len(VARIES.split(prompt.message)[0])) // 4
        for flow, prompts in sent.flows.items()
        for prompt in prompts
    }
    worst = max(lengths, key=lambda step: lengths[step])
    assert lengths[worst] <= TOKENS, f"{worst} has {lengths[worst]} tokens"
