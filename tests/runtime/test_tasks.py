"""What a place in a flow is about: notes, files, templates, checklists, flows for a list."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.runtime.assets import Assets
from scripts.runtime.flow import AnyFlow
from scripts.runtime.models.example import example
from scripts.runtime.models.mock import MockLLM
from scripts.runtime.settings import Settings
from scripts.runtime.spec import VERDICT
from scripts.runtime.stores.select import make_documents
from scripts.runtime.subflow import Subflow
from scripts.runtime.template import outline

from .agents import Scripted, agent, chain, executor, request, run_flow

TEMPLATE = """\
template:
  {id: plan, name: Plan, version: 1.0, output: {filename: docs/plan.md, title: "Plan of {{it}}"}}
sections:
  - id: aim
    title: Aim
    instruction: Say what for.
    sections:
      - {id: why, title: Why, type: paragraphs}
      - {id: each, title: "Part {{n}}", repeatable: true, sections: [{id: in, title: Inside}]}
  - {id: screen, title: Screens, condition: it has any}
  - {id: steps, title: 2. Steps, type: table, columns: [What, Who]}
"""
FULL = "# Plan\n\n## Aim\n\nx\n\n### why\n\ny\n\n## Steps:\n\nz\n"
STORIES = {"stories": ["one", "two"]}
LIST = {"type": "object", "properties": {"stories": {"type": "array", "items": {"type": "string"}}}}


@pytest.fixture
def assets(tmp_path: Path) -> Assets:
    files = {"templates/plan.yaml": TEMPLATE, "tasks/write.md": "How to write.", "data/x.md": "X."}
    for name, text in files.items():
        path = tmp_path / "assets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return Assets(tmp_path / "assets")


class TestNotes:
    def test_a_step_is_told_what_it_is_about(self, assets: Assets) -> None:
        model = Scripted()
        writer = agent("writer", assets=("data/x.md",))
        place = lambda: chain(writer(note="Be brief.", shows=("tasks/write.md",)))  # noqa: E731
        run_flow(place, model, assets=assets)
        said = model.asked[0].messages[0].content
        assert said == (
            "## Input\n\nan idea\n\n## This step\n\nBe brief.\n\n"
            "## Instructions\n\n### tasks/write.md\n\nHow to write."
        )
        assert "X." not in model.asked[0].system, "other assets are read when they are wanted"

    def test_documents_that_are_read_if_they_are_there(self) -> None:
        model = Scripted()
        writer, reader = agent("writer", creates="plan"), agent("reader", reads=("rules",))
        build = lambda: chain(writer(), reader(reads=("plan", "absent")))  # noqa: E731
        answer, _ = run_flow(build, model, on_missing_doc="error")
        assert answer["status"] == "success"
        said = model.asked[1].messages[0].content
        assert "### plan\n\nwriter says so" in said
        assert "absent" not in said

    def test_a_command_shows_its_files_and_none_of_a_step(self, assets: Assets) -> None:
        async def main() -> str:
            model = Scripted()
            commands = (("draft", "Draft it.", ("tasks/write.md",)), ("plain", ""))
            writer = agent("writer", commands=commands, template="templates/plan.yaml", creates="p")
            flows = executor(lambda: chain(writer()), model, agents=(writer,), assets=assets)
            for command in ("draft", "plain"):
                asked = request(flow="", agent="writer", command=command)
                assert (await flows.start(asked).wait())["status"] == "success"
            assert "How to write." not in model.asked[1].messages[0].content
            return model.asked[0].messages[0].content

        said = asyncio.run(main())
        assert "## Command\n\nDraft it.\n\n## Instructions\n\n### tasks/write.md" in said


class TestTemplates:
    def test_the_outline_is_readable_and_in_order(self) -> None:
        found = outline(TEMPLATE)
        assert found is not None
        assert found.title == "Plan of {{it}}"
        assert found.headings == ("## Aim", "### Why", "## 2. Steps")
        wanted = ["# Plan of {{it}}", "## Aim", "[Say what for.]", "### Why", "[Form: paragraphs]"]
        wanted += ["### Part {{n}}", "[Repeat this section, once for each]", "#### Inside"]
        wanted += ["## Screens", "[Only if: it has any]", "## 2. Steps", "Columns: What, Who"]
        places = [found.text.index(text) for text in wanted]
        assert places == sorted(places)

    def test_what_is_no_template_has_no_outline(self) -> None:
        for text in ("", "- a", "sections: []", "template: x\nsections: []", "a: [", "{{x}}: y"):
            assert outline(text) is None

    def test_missing_sections_are_told_by_their_titles(self) -> None:
        found = outline(TEMPLATE)
        assert found is not None
        assert found.missing(FULL) == ()
        assert found.missing("## Aim\n") == ("Why", "2. Steps")
        assert found.missing("Aim\n\nWhy\n\n2. Steps") == ("Aim", "Why", "2. Steps"), "no headings"

    def test_a_choice_in_a_title_may_be_made(self) -> None:
        found = outline('template: {}\nsections: [{title: "Style: {plain|rich}"}]')
        assert found is not None
        assert found.missing("## Style: rich") == ()
        assert found.missing("## Stile: rich") == ("Style: {plain|rich}",)

    @given(st.text(max_size=200))
    def test_any_text_can_be_held_against_it(self, text: str) -> None:
        found = outline(TEMPLATE)
        assert found is not None
        assert set(found.missing(text)) <= {"Aim", "Why", "2. Steps"}
        outline(text)

    def _write(self, answers: list[str], assets: Assets) -> tuple[Any, Scripted, list[Any]]:
        model = Scripted({"writer": answers})
        writer = agent("writer", creates="plan", template="templates/plan.yaml")
        answer, events = run_flow(lambda: chain(writer()), model, assets=assets)
        told = [event.data for event in events if event.type == "step.incomplete"]
        return answer, model, told

    def test_a_full_document_is_taken_at_once(self, assets: Assets) -> None:
        answer, model, told = self._write([FULL], assets)
        assert (answer["results"], told) == ({"writer": FULL}, [])
        assert "### templates/plan.yaml" in model.asked[0].messages[0].content

    def test_missing_sections_are_asked_for(self, assets: Assets) -> None:
        answer, model, told = self._write(["## Aim\n", FULL], assets)
        assert (answer["results"], told) == ({"writer": FULL}, [])
        assert "- Why\n- 2. Steps" in model.asked[1].messages[-1].content

    def test_in_the_end_the_fullest_is_kept_and_what_it_lacks_is_told(self, assets: Assets) -> None:
        fuller = "## Aim\n\n## Steps\n"
        answer, model, told = self._write(["## Aim\n", fuller, "## Steps\n"], assets)
        assert answer["results"] == {"writer": fuller}
        assert len(model.asked) == 3
        assert told == [{"missing": ["Why"]}]

    def test_the_offline_model_writes_the_outline(self, assets: Assets) -> None:
        writer = agent("writer", creates="plan", template="templates/plan.yaml")
        answer, events = run_flow(lambda: chain(writer()), MockLLM(), assets=assets)
        assert "\n## Aim\n" in answer["results"]["writer"]
        assert not [event for event in events if event.type == "step.incomplete"]


class TestExamples:
    def test_the_offline_model_passes_a_checklist(self) -> None:
        answer, _ = run_flow(lambda: chain(agent("judge")(output=VERDICT)), MockLLM())
        assert answer["status"] == "success"
        assert answer["results"]["judge"]["verdict"] == "pass"

    def test_it_names_an_action_beside_its_object(self) -> None:
        judge = agent("judge", actions=("fine", "bad"))
        answer, _ = run_flow(lambda: chain(judge(output=VERDICT)), MockLLM())
        assert answer["results"]["judge"]["verdict"] == "pass"

    @pytest.mark.parametrize(
        "schema",
        [
            {"type": "string", "minLength": 30},
            {"type": "string", "maxLength": 2},
            {"type": ["integer", "null"], "minimum": 4},
            {"type": "array", "items": {"$ref": "#/$defs/a"}, "minItems": 2, "$defs": {"a": {}}},
            {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
            {"type": "object", "properties": {"a": {"const": 3}, "b": {"enum": ["x", "y"]}}},
            {"properties": {"a": {"default": []}}, "required": ["a"]},
            {"type": "array", "items": {"type": "object", "required": ["title"]}},
            {"required": ["a", "b"], "properties": {"b": {"type": "integer"}}},
            {"type": "array", "maxItems": 0},
            {"allOf": [{"type": "object", "properties": {"a": {"type": "number"}}}]},
        ],
    )
    def test_an_example_fits_its_schema(self, schema: dict[str, Any]) -> None:
        jsonschema.validate(example(schema), schema)
        assert example(schema) == example(schema)


def cycle() -> AnyFlow:
    planner = agent("planner", output=LIST)()
    each = Subflow("cycle", story, for_each=("planner", "stories"), max_items=2)
    return chain(planner, each, agent("last")(requires=("story",)))


def story() -> AnyFlow:
    return chain(agent("writer", creates="story")(), agent("editor")(requires=("story",)))


class TestFlowsForEach:
    def test_items_run_in_order_with_documents_of_their_own(self, tmp_path: Path) -> None:
        async def main() -> None:
            model = Scripted({"planner": json.dumps(STORIES)})
            documents = make_documents(Settings(root=tmp_path, data_dir=tmp_path))
            run = executor(cycle, model, documents=documents).start(request())
            answer = await run.wait()
            first, second = "cycle.1.", "cycle.2."
            inner = [f"{first}writer", f"{first}editor", f"{second}writer", f"{second}editor"]
            assert model.steps() == ["planner", *inner, "last"]
            outputs = [f"{first}editor says so", f"{second}editor says so"]
            assert answer["results"]["cycle"] == outputs
            said = [asked.messages[0].content for asked in model.asked]
            assert said[-1].endswith("### story\n\n"), "nor does anybody outside"
            assert "## Item (1 of 2)\n\none" in said[1]
            assert "## Item (2 of 2)\n\ntwo" in said[4]
            assert f"### story\n\n{second}writer says so" in said[4]
            assert f"{first}writer" not in said[4], "an item sees nothing of another's"
            for number in (1, 2):
                kept = await documents.get(f"S-1__story__{number}")
                assert kept is not None
                assert kept.text == f"cycle.{number}.writer says so"
            assert await documents.get("S-1__story") is None

        asyncio.run(main())

    def test_a_continued_run_goes_on_at_the_item_that_failed(self) -> None:
        async def main() -> None:
            down = RuntimeError("boom")
            model = Scripted({"planner": json.dumps(STORIES), "cycle.2.writer": [down, "later"]})
            flows = executor(cycle, model)
            assert (await flows.start(request()).wait())["status"] == "error"
            answer = await flows.start(request()).wait()
            assert answer["status"] == "success"
            assert model.steps().count("cycle.1.writer") == 1
            assert model.steps().count("cycle.2.writer") == 2

        asyncio.run(main())

    @pytest.mark.parametrize("stories", [{"stories": ["a", "b", "c"]}, {"stories": "none"}])
    def test_a_list_that_is_too_long_or_none_fails_the_step(self, stories: Any) -> None:
        planner = agent("planner", output={"type": "object"})
        each = lambda: Subflow("cycle", story, for_each=("planner", "stories"), max_items=2)  # noqa: E731
        model = Scripted({"planner": json.dumps(stories)})
        answer, _ = run_flow(lambda: chain(planner(), each()), model)
        assert answer["error"]["step"] == "cycle"
        assert "for_each: planner.stories" in answer["error"]["message"]

    def test_no_items_give_an_empty_list(self) -> None:
        model = Scripted({"planner": '{"stories": []}'})
        answer, _ = run_flow(cycle, model)
        assert answer["results"]["cycle"] == []
        assert model.steps() == ["planner", "last"]

    def test_who_reads_a_changed_document_is_known_inside_items(self) -> None:
        async def main() -> None:
            model = Scripted({"planner": json.dumps(STORIES), "last": [RuntimeError("x"), "ok"]})
            flows = executor(cycle, model)
            await flows.start(request()).wait()
            answer = await flows.start(request(changed=("story",))).wait()
            assert answer["status"] == "success"
            assert model.steps().count("cycle.1.writer") == 1
            assert model.steps().count("cycle.1.editor") == 2

        asyncio.run(main())

    @pytest.mark.parametrize("item", [1, 2])
    def test_what_follows_runs_again_whichever_item_was_made_anew(self, item: int) -> None:
        def flow() -> AnyFlow:
            planner = agent("planner", output=LIST)()
            each = Subflow("cycle", story, for_each=("planner", "stories"), max_items=2)
            return chain(planner, each, agent("last")())

        async def main() -> None:
            model = Scripted({"planner": json.dumps(STORIES)})
            flows = executor(flow, model)
            await flows.start(request()).wait()
            asked = len(model.asked)
            answer = await flows.start(request(changed=(f"story__{item}",))).wait()
            assert answer["status"] == "success"
            assert model.steps()[asked:] == [f"cycle.{item}.editor", "last"]

        asyncio.run(main())

    def test_a_list_that_was_made_anew_has_new_items(self) -> None:
        def flow() -> AnyFlow:
            planner = agent("planner", output=LIST, wait_for_docs=("brief",))()
            each = Subflow("cycle", story, for_each=("planner", "stories"), max_items=2)
            return chain(planner, agent("between", wait_for_agents=("nobody",))(), each)

        async def main() -> None:
            lists = [json.dumps({"stories": ["one", "two"]}), json.dumps({"stories": ["three"]})]
            model = Scripted({"planner": lists})
            flows = executor(flow, model)
            await flows.start(request(documents={"brief": "B"})).wait()
            asked = len(model.asked)
            again = request(documents={"brief": "C"}, changed=("brief",))
            answer = await flows.start(again).wait()
            assert answer["results"]["cycle"] == ["cycle.1.editor says so"]
            assert model.steps()[asked:] == ["planner", "cycle.1.writer", "cycle.1.editor"]
            assert "three" in model.asked[asked + 1].messages[0].content

        asyncio.run(main())
