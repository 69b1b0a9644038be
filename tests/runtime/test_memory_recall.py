"""`memory_recall`: older entries that fit are shown, each once, as of the right moment."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.runtime.flow import AnyFlow
from scripts.runtime.group import ParallelGroup
from scripts.runtime.models.protocol import ModelRequest
from scripts.runtime.node import AgentNode
from scripts.runtime.stores.memory import FileMemory

from .agents import Scripted, agent, chain, executor, request

HEADING = "## Recalled entries, most relevant first\n\n"
SMALL = {"prompt": {"memory": 60}}  # two short notes and no more


class Story:
    """A memory of some entries, and what steps are shown of it."""

    def __init__(self, folder: Path, values: dict[str, dict[str, str]]) -> None:
        self.folder = folder
        self.values = values

    def shown(
        self, flow: AnyFlow, model: Scripted | None = None, **options: Any
    ) -> dict[str, list[str]]:
        """The recalled lines of each step, `key (scope)`."""
        return asyncio.run(self._shown(flow, model or Scripted(), options))

    async def _shown(
        self, flow: AnyFlow, model: Scripted, options: dict[str, Any]
    ) -> dict[str, list[str]]:
        memory = FileMemory(self.folder / "memory")
        for scope, entries in self.values.items():
            for key, value in entries.items():
                await memory.put(scope, key, value)
        chosen = {**SMALL, "root": self.folder, "data_dir": self.folder, **options}
        runs = executor(lambda: flow, model, memory=memory, settings=chosen)
        answer = await runs.start(request(input="the fox and the whale")).wait()
        assert answer["status"] == "success", answer["error"]
        await runs.services.close()
        return {each.step: _lines(each) for each in model.asked}


def _lines(request: ModelRequest) -> list[str]:
    _, heading, text = request.messages[0].content.partition(HEADING)
    return [line[2:].partition(": ")[0] for line in text.splitlines()] if heading else []


def one(id: str = "analyst", **settings: Any) -> AgentNode:
    return agent(id, **{"memory_recall": 2, **settings})()


NOTES = {
    "first": "the whale sings",
    "second": "a fox and a whale",
    "third": "a fox",
    "fourth": "nothing of the kind",
    "fifth": "a newer fox",
}


def test_what_fits_and_is_not_shown_already_is_recalled(tmp_path: Path) -> None:
    story = Story(tmp_path, {"analyst:S-1": NOTES, "analyst:S-2": NOTES, "critic:S-1": NOTES})
    # "fifth" and "fourth" stand whole in the memory part.
    assert story.shown(chain(one())) == {"analyst": ["second (analyst:S-1)", "first (analyst:S-1)"]}


def test_without_the_setting_nothing_is_recalled(tmp_path: Path) -> None:
    story = Story(tmp_path, {"analyst:S-1": NOTES})
    assert story.shown(chain(one(memory_recall=0))) == {"analyst": []}
    assert not (tmp_path / "memory" / ".index").exists()


def test_what_stands_whole_in_the_memory_part_is_not_repeated(tmp_path: Path) -> None:
    story = Story(tmp_path, {"analyst:S-1": NOTES})
    wide = story.shown(chain(one(memory_recall=9)), prompt={"memory": 10_000})
    assert wide == {"analyst": []}


def test_a_place_says_otherwise_and_a_shared_memory_comes_beside_the_own(tmp_path: Path) -> None:
    values = {"shared:notes": NOTES, "analyst:S-1": {"own": "my whale"}, "shared:other": NOTES}
    story = Story(tmp_path, values)
    node = agent("analyst", memory_scope="shared:notes", memory_recall=9)
    found = story.shown(chain(node(memory_recall=4)))["analyst"]
    notes = {f"{key} (shared:notes)" for key in ("first", "second", "third")}
    assert set(found) == {"own (analyst:S-1)", *notes}
    assert len(story.shown(chain(node(memory_recall=2)))["analyst"]) == 2


def test_results_of_earlier_steps_are_part_of_the_question(tmp_path: Path) -> None:
    story = Story(tmp_path, {"writer:S-1": {"old": "a zebra", "b": "x " * 40, "c": "y " * 40}})
    model = Scripted({"analyst": "zebra crossing"})
    flow = chain(one("analyst", memory_recall=0), one("writer"))
    assert story.shown(flow, model)["writer"] == ["old (writer:S-1)"]


def test_what_is_recalled_is_bounded_and_says_so(tmp_path: Path) -> None:
    long = {f"n{number}": f"fox {number} " + "x" * 500 for number in range(4)}
    story = Story(tmp_path, {"analyst:S-1": long})
    model = Scripted()
    story.shown(chain(one()), model, prompt={"memory": 10, "recall": 100})
    text = model.asked[0].messages[0].content
    assert "more characters were cut]" in text.partition(HEADING)[2]


def test_each_item_recalls_what_fits_it(tmp_path: Path) -> None:
    values = {"dev:S-1": {"a": "apples are red", "b": "bees hum", "c": "z" * 90, "d": "q" * 90}}
    model = Scripted({"analyst": '["apples", "bees"]'})
    planner = agent("analyst", output={"type": "array"})
    flow = chain(planner(), agent("dev", memory_recall=1)(for_each=("analyst",)))
    Story(tmp_path, values).shown(flow, model)
    seen = [_lines(each) for each in model.asked if each.step == "dev"]
    assert seen == [["a (dev:S-1)"], ["b (dev:S-1)"]]


@pytest.mark.parametrize("late", [False, True])
def test_members_of_a_group_recall_what_was_there_at_its_start(tmp_path: Path, late: bool) -> None:
    """`quick` overwrites what `slow` finds, before it looks or after."""
    story = Story(tmp_path, {"shared:n": {"quick": "an old fox", "a": "x" * 90, "b": "y" * 90}})
    written = asyncio.Event()

    async def tell(_: ModelRequest) -> str:
        written.set()
        return "whale"

    async def hold(_: ModelRequest) -> str:
        await written.wait()
        return "whale"

    members = [
        agent("quick", memory_scope="shared:n")(),
        agent("next", wait_for_agents=("quick",))(),  # what quick said is kept by now
        agent("gate")(),
        one("slow", memory_scope="shared:n", wait_for_agents=("gate",) if late else ()),
    ]
    model = Scripted({"quick": "whale", "next": tell, "gate": hold})
    assert story.shown(chain(ParallelGroup(*members)), model)["slow"] == ["quick (shared:n)"]
    text = next(each for each in model.asked if each.step == "slow").messages[0].content
    assert "an old fox" in text


SCOPES = ["analyst:S-1", "analyst:S-2", "critic:S-1", "shared:a", "shared:b"]


@given(
    st.dictionaries(
        st.sampled_from(SCOPES),
        st.dictionaries(st.sampled_from("abcde"), st.sampled_from(["fox", "whale", "sea"])),
    ),
    st.sampled_from(["isolated", "shared:a"]),
)
@settings(max_examples=15, deadline=None)
def test_no_step_sees_anything_of_other_agents_stories_or_namespaces(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, dict[str, str]], memory_scope: str
) -> None:
    """Every text names its scope, so that nothing can come in under another heading."""
    told = {
        scope: {key: f"{value} <{scope}>" for key, value in entries.items()}
        for scope, entries in values.items()
    }
    model = Scripted()
    members = [
        agent(name, memory_scope=memory_scope, memory_recall=5)() for name in ("analyst", "critic")
    ]
    flow = chain(agent("begin")(), ParallelGroup(*members))
    Story(tmp_path_factory.mktemp("s"), told).shown(flow, model, prompt={"memory": 1})
    for each in model.asked:
        text = each.messages[0].content
        allowed = {f"{each.step}:S-1"} | ({memory_scope} & set(SCOPES))
        assert not [s for s in SCOPES if f"<{s}>" in text and s not in allowed]
