"""What a flow can say: conditions, gates, sub-flows, items, schemas, fallbacks, assets."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from scripts.runtime.assets import Assets
from scripts.runtime.errors import ModelError
from scripts.runtime.events import Event
from scripts.runtime.flow import AnyFlow, End
from scripts.runtime.gate import Gate
from scripts.runtime.group import ParallelGroup
from scripts.runtime.models.protocol import ModelReply, ModelRequest, ToolCall
from scripts.runtime.outcome import answer_schema
from scripts.runtime.runner import Decision
from scripts.runtime.subflow import Subflow
from scripts.runtime.tool import Tool

from .agents import Remembering, Scripted, agent, chain, executor, request, run_flow, until

Analyst, Writer = agent("analyst"), agent("writer")
LIST = {"type": "array", "items": {"type": "object", "required": ["title"]}}
PLAN = {"type": "object", "properties": {"stories": LIST}, "required": ["stories"]}
Planner = agent("planner", output=PLAN)
STORIES = {"stories": [{"title": "one"}, {"title": "two"}, {"title": "three"}]}


class TestWhen:
    def test_a_false_condition_skips_the_step_and_says_so(self) -> None:
        model = Scripted()
        build = lambda: chain(Analyst(), Writer(when='inputs.depth == "full"'), agent("last")())  # noqa: E731
        answer, events = run_flow(build, model)
        assert model.steps() == ["analyst", "last"]
        assert answer["skipped"] == ["writer"]
        assert list(answer["results"]) == ["analyst", "last"]
        assert "analyst says so" in model.asked[1].messages[0].content
        assert [event.step for event in events if event.type == "step.skipped"] == ["writer"]

    def test_a_true_condition_runs_it(self) -> None:
        async def main() -> None:
            model = Scripted({"analyst": "deep"})
            flows = executor(
                lambda: chain(
                    Analyst(), Writer(when='inputs.depth == "full" and results.analyst == "deep"')
                ),
                model,
            )
            await flows.start(request(inputs={"depth": "full"})).wait()
            assert model.steps() == ["analyst", "writer"]

        asyncio.run(main())

    def test_what_a_later_visit_came_to_outlasts_a_skip_before_it(self) -> None:
        def flow() -> AnyFlow:
            writer = Writer(when='results.critic == "again"', max_visits=3)
            critic = agent("critic", actions=("again", "done"))(max_visits=3)
            last = agent("last")()
            writer >> critic
            critic - "again" >> writer
            critic - "done" >> last
            return AnyFlow(start=writer)

        async def main() -> None:
            down = ModelError("down", provider="scripted")
            verdicts = ["again\nAction: again", "done\nAction: done"]
            flows = executor(flow, Scripted({"critic": verdicts, "last": [down, "end"]}))
            for status in ("error", "success"):
                answer = await flows.start(request()).wait()
                assert answer["status"] == status
                assert answer["results"]["writer"] == "writer says so"
                assert answer["skipped"] == []

        asyncio.run(main())

    def test_what_follows_a_step_that_was_left_out_the_second_time_sees_nothing_of_it(self) -> None:
        def flow() -> AnyFlow:
            critic, last = Gate("critic", actions=("again", "done"), max_visits=3), agent("last")()
            writer = Writer(when="results.critic.action == null", max_visits=3)
            writer >> critic
            critic - "again" >> writer
            critic - "done" >> last
            return AnyFlow(start=writer)

        async def main() -> None:
            model = Scripted()
            flows = executor(flow, model)
            for action in ("", "again", "done"):
                decision = Decision("critic", action) if action else None
                answer = await flows.start(request(decision=decision)).wait()
            assert answer["status"] == "success", answer["error"]
            assert "writer says so" not in model.asked[-1].messages[0].content

        asyncio.run(main())

    def test_a_skipped_member_of_a_group_holds_nobody_up(self) -> None:
        model = Scripted()
        heir = agent("heir", wait_for_agents=("writer",))
        build = lambda: chain(ParallelGroup(Writer(when="false"), heir()), agent("last")())  # noqa: E731
        answer, _ = run_flow(build, model)
        assert answer["skipped"] == ["writer"]
        assert model.steps() == ["heir", "last"]

    def test_a_skipped_judge_follows_the_plain_order(self) -> None:
        judge, end = agent("judge", actions=("approve",))(when="false"), End()
        judge - "approve" >> Writer()
        judge >> end
        answer, _ = run_flow(lambda: AnyFlow(start=judge), Scripted())
        assert answer["status"] == "success"


def gated() -> AnyFlow:
    writer = Writer(max_visits=3)
    gate = Gate("sign_off", question="Publish?", actions=("approve", "reject"), max_visits=3)
    writer >> gate
    gate - "reject" >> writer
    gate >> agent("publisher")()
    return AnyFlow(start=writer)


class TestGate:
    def test_it_waits_for_a_person_and_goes_on_with_the_decision(self) -> None:
        async def main() -> None:
            model = Scripted()
            flows = executor(gated, model)
            answer = await flows.start(request()).wait()
            assert answer["status"] == "pending"
            assert answer["pending_docs"] == []
            assert answer["pending_gates"] == [
                {
                    "gate": "sign_off",
                    "question": "Publish?",
                    "actions": ["approve", "reject"],
                    "visit": 1,
                }
            ]
            decided = Decision("sign_off", "reject", "too long")
            answer = await flows.start(request(decision=decided)).wait()
            assert answer["status"] == "pending", "the writer came back to the gate: it asks again"
            assert model.steps() == ["writer", "writer"]
            assert "too long" in model.asked[1].messages[0].content
            answer = await flows.start(request(decision=Decision("sign_off", "approve"))).wait()
            assert answer["status"] == "success"
            assert model.steps() == ["writer", "writer", "publisher"]
            assert answer["results"]["sign_off"] == {"action": "approve", "comment": ""}

        asyncio.run(main())

    def test_asking_again_without_a_decision_stays_pending(self) -> None:
        async def main() -> None:
            model = Scripted()
            flows = executor(gated, model)
            for _ in range(2):
                answer = await flows.start(request()).wait()
                assert answer["status"] == "pending"
            assert model.steps() == ["writer"]

        asyncio.run(main())


def inner() -> AnyFlow:
    return chain(agent("draft")(), ParallelGroup(agent("left")(), agent("right")()))


class TestSubflow:
    def test_it_is_one_step_whose_result_is_its_last_output(self) -> None:
        model = Scripted({"publish.right": "the end"})
        answer, events = run_flow(
            lambda: chain(Analyst(), Subflow("publish", inner), Writer()), model
        )
        assert answer["status"] == "success"
        assert answer["results"]["publish"] == "the end"
        assert model.steps()[:2] == ["analyst", "publish.draft"]
        assert "analyst says so" in model.asked[1].messages[0].content
        assert "the end" in model.asked[-1].messages[0].content
        assert "publish.left says so" not in model.asked[-1].messages[0].content
        names = [event.data["name"] for event in events if event.type == "step.completed"]
        assert "agent:publish.draft#1" in names
        assert "flow:publish#1" in names

    def test_the_same_flow_can_stand_twice(self) -> None:
        answer, _ = run_flow(
            lambda: chain(Subflow("first", inner), Subflow("second", inner)), Scripted()
        )
        assert {"first", "second", "first.draft", "second.draft"} <= set(answer["results"])

    def test_a_failure_inside_names_the_inner_step_and_is_continued_there(self) -> None:
        async def main() -> None:
            broken = ModelError("down", provider="scripted")
            model = Scripted({"publish.right": [broken, "fine"]})
            flows = executor(lambda: chain(Subflow("publish", inner)), model)
            answer = await flows.start(request()).wait()
            assert answer["error"]["step"] == "publish.right"
            answer = await flows.start(request()).wait()
            assert answer["status"] == "success"
            assert model.steps().count("publish.draft") == 1
            assert model.steps().count("publish.left") == 1

        asyncio.run(main())

    def test_a_gate_inside_is_known_by_its_whole_name(self) -> None:
        async def main() -> None:
            flows = executor(
                lambda: chain(Subflow("publish", lambda: chain(Gate("ok")))), Scripted()
            )
            answer = await flows.start(request()).wait()
            assert answer["pending_gates"][0]["gate"] == "publish.ok"
            decided = request(decision=Decision("publish.ok", "approve"))
            assert (await flows.start(decided).wait())["status"] == "success"

        asyncio.run(main())

    def test_a_loop_that_comes_back_to_it_is_continued_in_its_second_round(self) -> None:
        def flow() -> AnyFlow:
            publish = Subflow("publish", lambda: chain(agent("draft")()), max_visits=3)
            critic = agent("critic", actions=("again", "done"))(max_visits=3)
            publish >> critic
            critic - "again" >> publish
            critic - "done" >> End()
            return AnyFlow(start=publish)

        async def main() -> None:
            down = ModelError("down", provider="scripted")
            drafts = ["first", down, "second"]
            verdicts = ["Action: again", "Action: done"]
            model = Scripted({"publish.draft": drafts, "critic": verdicts})
            flows = executor(flow, model)
            assert (await flows.start(request()).wait())["status"] == "error"
            answer = await flows.start(request()).wait()
            assert answer["status"] == "success"
            assert answer["results"]["publish"] == "second"
            assert model.steps() == ["publish.draft", "critic", *["publish.draft"] * 2, "critic"]

        asyncio.run(main())

    def test_a_gate_inside_asks_again_in_the_second_round(self) -> None:
        def flow() -> AnyFlow:
            publish = Subflow("publish", lambda: chain(Gate("ok")), max_visits=3)
            critic = agent("critic", actions=("again", "done"))(max_visits=3)
            publish >> critic
            critic - "again" >> publish
            critic - "done" >> End()
            return AnyFlow(start=publish)

        async def main() -> None:
            model = Scripted({"critic": ["Action: again", "Action: done"]})
            flows = executor(flow, model)
            decision = Decision("publish.ok", "approve")
            assert (await flows.start(request()).wait())["status"] == "pending"
            for _ in range(2):  # the second asks without a decision
                answer = await flows.start(request(decision=decision)).wait()
                assert answer["pending_gates"][0]["gate"] == "publish.ok"
                decision = None
            answer = await flows.start(request(decision=Decision("publish.ok", "reject"))).wait()
            assert answer["results"]["publish.ok"]["action"] == "reject"
            assert answer["status"] == "success"

        asyncio.run(main())

    def test_a_step_that_was_added_inside_runs_when_the_run_goes_on(self) -> None:
        steps = [agent("draft")]

        async def main() -> None:
            down = ModelError("down", provider="scripted")
            model = Scripted({"writer": [down, "fine"]})
            inside = lambda: chain(*(step() for step in steps))  # noqa: E731
            flows = executor(lambda: chain(Subflow("publish", inside), Writer()), model)
            assert (await flows.start(request()).wait())["status"] == "error"
            steps.append(agent("polish"))
            answer = await flows.start(request()).wait()
            assert answer["results"]["publish"] == "publish.polish says so"
            assert model.steps() == ["publish.draft", "writer", "publish.polish", "writer"]

        asyncio.run(main())

    def test_what_it_created_is_there_when_the_run_goes_on(self) -> None:
        def flow() -> AnyFlow:
            made = lambda: chain(agent("maker", creates="prd")())  # noqa: E731
            return chain(Subflow("make", made), Writer(), agent("reader", wait_for_docs=("prd",))())

        async def main() -> None:
            down = ModelError("down", provider="scripted")
            flows = executor(flow, Scripted({"writer": [down, "fine"]}), on_missing_doc="error")
            assert (await flows.start(request()).wait())["status"] == "error"
            answer = await flows.start(request()).wait()
            assert answer["status"] == "success", answer["error"]

        asyncio.run(main())


class TestForEach:
    def build(self, **settings: Any) -> AnyFlow:
        dev = agent("dev")(id="fixes", for_each=("planner", "stories"), **settings)
        return chain(Planner(), dev, agent("last")())

    def test_one_visit_an_item_and_a_list_in_their_order(self) -> None:
        async def answer_item(asked: ModelRequest) -> str:
            text = asked.messages[0].content
            found = next(t for t in ("one", "two", "three") if f'"title": "{t}"' in text)
            for _ in range({"one": 5, "two": 3, "three": 1}[found]):
                await asyncio.sleep(0)  # later items are done first
            return found.upper()

        memory = Remembering()
        model = Scripted({"planner": json.dumps(STORIES), "fixes": answer_item})
        answer, events = run_flow(self.build, model, memory=memory)
        assert answer["results"]["planner"] == STORIES
        assert answer["results"]["fixes"] == ["ONE", "TWO", "THREE"]
        names = {event.data["name"] for event in events if event.type == "step.completed"}
        assert {f"agent:fixes#1[{n}]" for n in range(3)} <= names
        assert any("## Item (2 of 3)" in asked.messages[0].content for asked in model.asked)
        assert '"TWO"' in model.asked[-1].messages[0].content
        assert memory.values["dev:S-1"] == {
            "fixes__3": "THREE",
            "fixes__2": "TWO",
            "fixes__1": "ONE",
        }

    def test_events_say_which_item_they_are_of(self) -> None:
        """Items run beside each other: their pieces of text come mixed."""
        calls = ModelReply("", (ToolCall("1", "find", "{}"),))
        tool = Tool("find", lambda: "found", "Finds.", {"type": "object"})
        late = ModelError("late", provider="scripted", retryable=True, http_status=503)
        late.retry_after = 0.0

        async def answer_item(asked: ModelRequest) -> Any:
            await asyncio.sleep(0)
            number = next(n for n in (1, 2, 3) if f"Item ({n} of 3)" in asked.messages[0].content)
            if number == 1 and len(asked.messages) == 1:
                return calls
            if number == 2 and not lates:
                lates.append(number)
                raise late
            if number == 3:
                raise ModelError("no", provider="scripted")
            return f"item {number} says so"

        async def main() -> list[Event]:
            dev = agent("dev", tools=("find",))(id="fixes", for_each=("planner", "stories"))
            model = Scripted({"planner": json.dumps(STORIES), "fixes": answer_item})
            settings = {"runs": {"max_parallel_agents": 2}}
            flows = executor(
                lambda: chain(Planner(), dev), model, settings=settings, tools={"find": tool}
            )
            run = flows.start(request())
            return [event async for batch in run.log.follow() for event in batch]

        lates: list[int] = []
        found = [event for event in asyncio.run(main()) if event.step == "fixes"]
        assert all("item" in event.data for event in found)
        texts = dict.fromkeys((0, 1), "")
        for event in found:
            if event.type == "step.delta":
                texts[event.data["item"]] += event.data["text"]
        assert texts == {0: "item 1 says so", 1: "item 2 says so"}
        items = {
            kind: {event.data["item"] for event in found if event.type == f"step.{kind}"}
            for kind in ("tool", "retrying", "queued", "failed")
        }
        assert items == {"tool": {0}, "retrying": {1}, "queued": {2}, "failed": {2}}

    def test_too_many_items_fail_and_none_give_an_empty_list(self) -> None:
        model = Scripted({"planner": json.dumps(STORIES)})
        answer, _ = run_flow(lambda: self.build(max_items=2), model)
        assert answer["error"]["code"] == "items_unusable"
        assert "3 items, max_items is 2" in answer["error"]["message"]
        answer, _ = run_flow(self.build, Scripted({"planner": '{"stories": []}'}))
        assert answer["status"] == "success"
        assert answer["results"]["fixes"] == []

    def test_finished_items_are_not_paid_again(self) -> None:
        async def main() -> None:
            calls: list[str] = []

            async def some(asked: ModelRequest) -> Any:
                text = asked.messages[0].content
                calls.append(text)
                if '"title": "two"' in text and len(calls) <= 3:
                    raise ModelError("down", provider="scripted")
                return "ok"

            model = Scripted({"planner": json.dumps(STORIES), "fixes": some})
            flows = executor(self.build, model)
            assert (await flows.start(request()).wait())["status"] == "error"
            answer = await flows.start(request()).wait()
            assert answer["results"]["fixes"] == ["ok", "ok", "ok"]
            assert len(calls) == 4

        asyncio.run(main())

    @pytest.mark.parametrize("limit", [1, 2])
    def test_its_fan_out_is_bounded_also_inside_a_group(self, limit: int) -> None:
        now = most = 0

        async def count(_: ModelRequest) -> str:
            nonlocal now, most
            now += 1
            most = max(most, now)
            for _turn in range(5):
                await asyncio.sleep(0)
            now -= 1
            return "ok"

        def build() -> AnyFlow:
            items = [agent(n)(for_each=("planner", "stories")) for n in ("a", "b", "c")]
            return chain(Planner(), ParallelGroup(*items))

        answers: dict[str, Any] = dict.fromkeys(("a", "b", "c"), count)
        model = Scripted({"planner": json.dumps(STORIES), **answers})
        limits = {"runs": {"max_parallel_agents": limit}}
        answer, _ = run_flow(build, model, settings=limits)
        assert answer["results"]["c"] == ["ok", "ok", "ok"]
        assert most == limit


class TestOutput:
    def test_an_answer_that_fits_is_an_object(self) -> None:
        model = Scripted({"planner": f"Here it is:\n```json\n{json.dumps(STORIES)}\n```"})
        answer, _ = run_flow(lambda: chain(Planner()), model)
        assert answer["results"] == {"planner": STORIES}

    def test_one_that_does_not_is_repaired_by_asking_again(self) -> None:
        wrong, right = '{"stories": [{"name": 1}]}', json.dumps(STORIES)
        model = Scripted({"planner": ["not json at all", wrong, right]})
        answer, _ = run_flow(lambda: chain(Planner()), model)
        assert answer["results"] == {"planner": STORIES}
        assert "not JSON" in model.asked[1].messages[-1].content
        assert "'title' is a required property" in model.asked[2].messages[-1].content

    def test_repairs_are_bounded(self) -> None:
        model = Scripted({"planner": "never json"})
        answer, _ = run_flow(lambda: chain(Planner()), model)
        assert answer["error"]["code"] == "output_invalid"
        assert answer["error"]["attempts"] == len(model.asked) == 3

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("never json", "the answer is not JSON: Expecting value: line 1 column 1 (char 0)"),
            (
                '{"stories": [{}]}',
                "the answer does not fit its schema: $.stories[0]: 'title' is a required property",
            ),
        ],
    )
    def test_a_client_is_told_what_is_wrong_and_not_what_to_answer(
        self, text: str, message: str
    ) -> None:
        answer, _ = run_flow(lambda: chain(Planner()), Scripted({"planner": text}))
        assert answer["error"]["message"] == message

    def test_an_object_that_fits_without_its_action_is_told_as_that(self) -> None:
        judge = agent("judge", output=PLAN, actions=("approve", "revise"))
        answer, _ = run_flow(lambda: chain(judge()), Scripted({"judge": json.dumps(STORIES)}))
        assert answer["error"]["code"] == "action_unknown"
        assert answer["error"]["message"] == "the model named none of: approve, revise"

    def test_a_model_that_can_is_held_to_the_schema(self) -> None:
        class Structured(Scripted):
            structured = True

        model = Structured({"planner": json.dumps(STORIES)})
        run_flow(lambda: chain(Planner()), model)
        assert model.asked[0].schema == PLAN
        assert "fits this schema" not in model.asked[0].system

    def test_one_that_cannot_is_told_the_schema(self) -> None:
        model = Scripted({"planner": json.dumps(STORIES)})
        run_flow(lambda: chain(Planner()), model)
        assert model.asked[0].schema is None
        assert '"stories"' in model.asked[0].system

    def test_references_in_a_schema_hold_beside_actions(self) -> None:
        output = {"$ref": "#/$defs/plan", "$defs": {"plan": PLAN}}
        asked = answer_schema(output, ("approve",))
        assert asked is not None
        validator = jsonschema.Draft202012Validator(asked)
        assert validator.is_valid({"answer": STORIES, "action": "approve"})
        assert not validator.is_valid({"answer": {}, "action": "approve"})

    def test_typed_actions_stream_as_plain_text(self) -> None:
        class Structured(Scripted):
            structured = True

        async def main() -> None:
            judge, end = agent("judge", actions=("approve", "reject"))(), End()
            judge - "approve" >> end
            judge - "reject" >> Writer()
            text = json.dumps({"answer": 'Fine, "as it is"\n — café 😀', "action": "approve"})
            model = Structured({"judge": text})
            run = executor(lambda: AnyFlow(start=judge), model).start(request())
            batches = [batch async for batch in run.log.follow()]
            events = [event for batch in batches for event in batch]
            shown = "".join(e.data["text"] for e in events if e.type == "step.delta")
            assert (await run.wait())["results"] == {"judge": 'Fine, "as it is"\n — café 😀'}
            assert shown == 'Fine, "as it is"\n — café 😀'
            assert model.asked[0].schema is not None
            assert model.asked[0].schema["properties"]["action"]["enum"] == ["approve", "reject"]

        asyncio.run(main())


class TestFallback:
    def test_the_other_model_is_tried_when_the_first_keeps_failing(self) -> None:
        down = ModelError("model not found", provider="scripted")
        model = Scripted({"talker": [down, "from the other"]})
        talker = agent("talker", model="big", fallback="small")
        answer, events = run_flow(lambda: chain(talker()), model)
        assert answer["results"] == {"talker": "from the other"}
        assert [asked.model for asked in model.asked] == ["big", "small"]
        told = [event.data for event in events if event.type == "step.retrying"]
        assert [fact["model"] for fact in told] == ["small"]

    def test_when_both_fail_the_last_error_is_told(self) -> None:
        model = Scripted({"talker": ModelError("all down", provider="scripted")})
        answer, _ = run_flow(lambda: chain(agent("talker", fallback="small")()), model)
        assert answer["error"]["message"] == "all down"
        assert len(model.asked) == 2


class TestAssets:
    def test_listed_ones_are_read_by_a_tool_and_inline_ones_are_in_the_text(
        self, tmp_path: Path
    ) -> None:
        (tmp_path / "tasks").mkdir()
        (tmp_path / "tasks/review.md").write_text("How to review.", "utf-8")
        (tmp_path / "tasks/secret.md").write_text("Not yours.", "utf-8")
        (tmp_path / "tasks/tone.md").write_text("Be kind.", "utf-8")

        def reads(name: str) -> ModelReply:
            call = ToolCall("c1", "read_asset", json.dumps({"name": name}))
            return ModelReply("", tool_calls=(call,))

        model = Scripted({"judge": [reads("tasks/review.md"), reads("tasks/secret.md"), "done"]})
        judge = agent("judge", assets=("tasks/review.md",), inline=("tasks/tone.md",))
        run_flow(lambda: chain(judge()), model, assets=Assets(tmp_path))
        assert "- tasks/review.md" in model.asked[0].system
        assert "Be kind." in model.asked[0].system
        assert "How to review." not in model.asked[0].system
        assert model.asked[1].messages[-1].content == "How to review."
        assert "there is no asset" in model.asked[2].messages[-1].content


class TestPlaces:
    def test_a_place_sets_its_own_over_its_agents(self) -> None:
        model = Scripted()
        talker = agent("talker", model="big", temperature=1.0)
        run_flow(lambda: chain(talker(), talker(id="again", model="small", temperature=0)), model)
        assert [(a.step, a.model, a.temperature) for a in model.asked] == [
            ("talker", "big", 1.0),
            ("again", "small", 0),
        ]

    def test_an_unknown_setting_is_refused(self) -> None:
        with pytest.raises(TypeError, match="no setting 'colour'"):
            Analyst(colour="red")


def test_cancelling_inside_a_sub_flow_leaves_nothing_running() -> None:
    async def main() -> None:
        async def forever(_: ModelRequest) -> str:
            await asyncio.Event().wait()
            return "never"

        model = Scripted({"publish.left": forever, "publish.right": forever})
        run = executor(lambda: chain(Subflow("publish", inner)), model).start(request())
        await until(run, "step.started", "publish.right")
        run.cancel()
        await run.wait()
        assert sorted(model.cancelled) == ["publish.left", "publish.right"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
