"""What an agent sees: whole, in a fixed order, bounded, never formatted."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from scripts.runtime.group import ParallelGroup
from scripts.runtime.prompt import Sight, system_text, user_text
from scripts.runtime.settings import PromptSettings
from scripts.runtime.stores.protocol import Entry

from .agents import Remembering, Scripted, agent, chain, executor, request, run_flow


def _sight(input: str, **parts: Any) -> Sight:
    sight = Sight(input)
    for name, part in parts.items():
        setattr(sight, name, part)
    return sight


@given(st.text())
def test_texts_are_never_formatted(text: str) -> None:
    assert system_text("", text, ()) == text
    seen, cut = user_text(Sight(text), PromptSettings())
    assert seen == f"## Input\n\n{text}"
    assert cut == ()


def test_parts_stand_in_a_fixed_order() -> None:
    sight = _sight(
        "the input",
        command="summarise",
        inputs={"depth": "full"},
        outputs={"analyst": "facts"},
        documents={"prd": "# PRD"},
        scope="shared:product",
        memory=[Entry("old", "note", "shared:product", "", 1)],
    )
    text, _ = user_text(sight, PromptSettings())
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "## Input",
        "## Command",
        "## Further inputs",
        "## Results of earlier steps",
        "## Documents",
        "## Memory (shared:product), newest first",
    ]


def test_a_text_stands_once() -> None:
    sight = _sight(
        "x",
        outputs={"writer": "the same", "other": "else"},
        documents={"prd": "the same"},
        scope="shared:p",
        memory=[Entry("k1", "the same", "", "", 1), Entry("k2", "else", "", "", 2)],
    )
    text, _ = user_text(sight, PromptSettings())
    assert text.count("the same") == 1
    assert text.count("else") == 1
    assert "### prd" in text
    assert "Memory" not in text


def test_what_is_too_long_is_cut_and_said_in_text_and_event() -> None:
    model = Scripted()
    answer, events = run_flow(lambda: chain(agent("a")()), model, settings={"prompt": {"input": 4}})
    assert answer["status"] == "success"
    assert "an i\n\n[3 more characters were cut]" in model.asked[0].messages[0].content
    started = next(event for event in events if event.type == "step.started")
    assert started.data["cut"] == ["Input"]


def test_persona_stands_before_the_prompt_and_outcomes_after() -> None:
    text = system_text("You are Ada.", "Review it.", ("approve", "reject"))
    assert text.index("You are Ada.") < text.index("Review it.") < text.index("Action: approve")


def test_a_step_remembers_and_shared_memory_is_shared() -> None:
    writer = agent("writer", memory_scope="shared:product")
    reader = agent("reader", memory_scope="shared:product", wait_for_agents=("nobody",))
    alone = agent("alone")
    memory = Remembering({"shared:product": {"rule": "keep it short"}})
    model = Scripted({"writer": "what the writer wrote"})
    run_flow(lambda: chain(writer(), reader(), alone()), model, memory=memory)
    assert "keep it short" in model.asked[0].messages[0].content
    assert "writer: what the writer wrote" in model.asked[1].messages[0].content
    assert "keep it short" not in model.asked[2].messages[0].content
    assert memory.values["shared:product"]["writer"] == "what the writer wrote"
    assert memory.values["alone:S-1"] == {"alone": "alone says so"}


def test_members_of_a_group_see_memory_as_it_was_and_what_they_waited_for() -> None:
    async def main() -> None:
        first = agent("first", memory_scope="shared:product")
        apart = agent("apart", memory_scope="shared:product")
        heir = agent("heir", memory_scope="shared:product", wait_for_agents=("first",))
        grandchild = agent("grandchild", memory_scope="shared:product", wait_for_agents=("heir",))
        memory = Remembering({"shared:product": {"first": "its old text", "rule": "short"}})
        model = Scripted({"first": "its new text"})
        flows = executor(
            lambda: chain(ParallelGroup(first(), apart(), heir(), grandchild())),
            model,
            memory=memory,
            settings={"runs": {"max_parallel_agents": 1}},
        )
        await flows.start(request()).wait()
        seen = {asked.step: asked.messages[0].content for asked in model.asked}
        assert "first: its old text" in seen["apart"]
        assert "its new text" not in seen["apart"]
        assert "its new text" in seen["heir"]
        assert "its old text" not in seen["heir"]
        assert "first: its new text" in seen["grandchild"]
        assert "rule: short" in seen["grandchild"]

    asyncio.run(main())
