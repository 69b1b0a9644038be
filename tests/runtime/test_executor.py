"""Runs from their start to their answer: order, pending, continuing, cancelling, failing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scripts.runtime.errors import Conflict, ModelError, NotFound
from scripts.runtime.events import TERMINAL
from scripts.runtime.flow import AnyFlow, End
from scripts.runtime.group import ParallelGroup

from .agents import Remembering, Scripted, agent, chain, executor, request, run_flow, until

Analyst = agent("analyst")
Writer = agent("writer")
Reviewer = agent("reviewer", actions=("approve", "reject"))


def two() -> AnyFlow:
    return chain(Analyst(), Writer())


def test_steps_run_in_order_and_the_answer_holds_their_outputs() -> None:
    model = Scripted({"analyst": "facts", "writer": "a story"})
    answer, events = run_flow(two, model)
    assert model.steps() == ["analyst", "writer"]
    assert answer["status"] == "success"
    assert answer["results"] == {"analyst": "facts", "writer": "a story"}
    assert answer["error"] is None
    assert [event.type for event in events] == [
        "run.started",
        "step.started",
        "step.completed",
        "step.started",
        "step.completed",
        "run.completed",
    ]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert events[-1].data["answer"] == answer


def test_the_next_step_sees_the_previous_output() -> None:
    model = Scripted({"analyst": "facts nobody else knows"})
    run_flow(two, model)
    assert "facts nobody else knows" in model.asked[1].messages[0].content
    assert "an idea" in model.asked[1].messages[0].content


def test_a_step_that_waits_for_an_agent_sees_that_one_only() -> None:
    late = agent("late", wait_for_agents=("analyst",))
    model = Scripted({"analyst": "from the analyst", "writer": "from the writer"})
    run_flow(lambda: chain(Analyst(), Writer(), late()), model)
    seen = model.asked[2].messages[0].content
    assert "from the analyst" in seen
    assert "from the writer" not in seen


def loop() -> AnyFlow:
    writer, reviewer, end = Writer(max_visits=3), Reviewer(max_visits=3), End()
    writer >> reviewer
    reviewer - "approve" >> end
    reviewer - "reject" >> writer
    return AnyFlow(start=writer)


def test_an_action_sends_back_until_it_approves() -> None:
    model = Scripted({"reviewer": ["too long\nAction: reject", "good\n\n**Action: approve**"]})
    answer, events = run_flow(loop, model)
    assert model.steps() == ["writer", "reviewer", "writer", "reviewer"]
    assert answer["status"] == "success"
    assert answer["results"]["reviewer"] == "good"
    names = [event.data["name"] for event in events if event.type == "step.completed"]
    assert names == ["agent:writer#1", "agent:reviewer#1", "agent:writer#2", "agent:reviewer#2"]


def test_a_loop_without_end_fails_with_the_step_named() -> None:
    model = Scripted({"reviewer": "no\nAction: reject"})
    answer, _ = run_flow(loop, model)
    assert answer["status"] == "error"
    assert answer["error"]["code"] == "max_visits_exceeded"
    assert "fresh: true" in answer["error"]["message"]
    assert answer["error"]["step"] == "writer"
    assert model.steps().count("writer") == 3


def test_a_model_that_names_no_action_is_reminded_then_refused() -> None:
    model = Scripted({"reviewer": ["well", "Action: maybe", "Action: approve"]})
    answer, _ = run_flow(loop, model)
    assert answer["status"] == "success"
    assert answer["results"]["reviewer"] == "well"
    model = Scripted({"reviewer": "well"})
    answer, _ = run_flow(loop, model)
    assert answer["error"]["code"] == "action_unknown"
    assert answer["error"]["step"] == "reviewer"
    assert answer["error"]["attempts"] == 3


def test_a_failed_model_ends_the_run_and_keeps_what_was_done() -> None:
    model = Scripted({"writer": ModelError("no such model", provider="scripted")})
    answer, events = run_flow(two, model)
    assert answer["status"] == "error"
    assert answer["results"] == {"analyst": "analyst says so"}
    assert answer["error"] == {
        "code": "model_failed",
        "message": "no such model",
        "step": "writer",
        "attempts": 1,
        "retryable": False,
    }
    assert [event.type for event in events][-2:] == ["step.failed", "run.failed"]


def test_a_fault_of_ours_tells_the_client_nothing_of_its_inside(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = Scripted({"writer": ZeroDivisionError("inner secret")})
    answer, events = run_flow(two, model)
    assert answer["error"]["code"] == "run_failed"
    assert "inner secret" not in str(answer)
    assert answer["results"] == {"analyst": "analyst says so"}
    assert (events[-2].type, events[-2].step) == ("step.failed", "writer")
    assert "inner secret" not in str(events)
    # The client is told to look for the run's id.
    (line,) = (line for line in caplog.records if line.exc_info)
    assert line.__dict__["facts"]["run_id"] == answer["run_id"]


NEEDS = agent("needs", wait_for_docs=("prd",))


def test_a_missing_document_makes_the_run_pending_and_it_goes_on() -> None:
    async def main() -> None:
        model = Scripted()
        flows = executor(lambda: chain(Analyst(), NEEDS()), model, on_missing_doc="wait")
        first = flows.start(request())
        answer = await first.wait()
        assert answer["status"] == "pending"
        assert answer["pending_docs"] == ["S-1__prd"]
        assert answer["results"] == {"analyst": "analyst says so"}
        second = flows.start(request(documents={"prd": "# The product"}))
        answer = await second.wait()
        assert answer["status"] == "success"
        assert second.run_id == first.run_id
        assert model.steps() == ["analyst", "needs"], "a finished step was paid twice"
        assert "# The product" in model.asked[1].messages[0].content
        assert list(answer["results"]) == ["analyst", "needs"]
        assert next(event.seq for event in second.events()) == len(first.events()) + 1
        third = flows.start(request())
        await third.wait()
        assert third.run_id != first.run_id, "after success it starts afresh"

    asyncio.run(main())


def test_skip_gives_an_empty_text_and_error_fails() -> None:
    model = Scripted()
    answer, events = run_flow(lambda: chain(NEEDS()), model, on_missing_doc="skip")
    assert answer["status"] == "success"
    started = next(event for event in events if event.type == "step.started")
    assert started.data["missing_docs"] == ["prd"], "what is skipped is said"
    assert "### prd" in model.asked[0].messages[0].content
    answer, _ = run_flow(lambda: chain(NEEDS()), model, on_missing_doc="error")
    assert answer["error"]["code"] == "dependency_missing"
    assert answer["error"]["message"] == "missing documents: S-1__prd"
    assert answer["error"]["step"] == "needs"


def test_a_created_document_is_there_for_who_requires_it() -> None:
    maker = agent("maker", creates="prd")
    model = Scripted({"maker": "made by the maker"})
    answer, _ = run_flow(lambda: chain(maker(), Analyst(), NEEDS()), model, on_missing_doc="error")
    assert answer["status"] == "success"
    assert "made by the maker" in model.asked[2].messages[0].content


def test_fresh_starts_over() -> None:
    async def main() -> None:
        model = Scripted()
        flows = executor(lambda: chain(Analyst(), NEEDS()), model, on_missing_doc="wait")
        first = flows.start(request())
        await first.wait()
        second = flows.start(request(fresh=True))
        await second.wait()
        assert second.run_id != first.run_id
        assert model.steps() == ["analyst", "analyst"]

    asyncio.run(main())


def test_a_failed_run_goes_on_where_it_failed() -> None:
    async def main() -> None:
        broken = ModelError("down", provider="scripted")
        model = Scripted({"writer": [broken, "at last"]})
        flows = executor(two, model)
        first = flows.start(request())
        assert (await first.wait())["status"] == "error"
        second = flows.start(request())
        answer = await second.wait()
        assert answer["status"] == "success"
        assert answer["results"] == {"analyst": "analyst says so", "writer": "at last"}
        assert model.steps() == ["analyst", "writer", "writer"]

    asyncio.run(main())


async def forever(_: Any) -> str:
    await asyncio.Event().wait()
    raise AssertionError("nobody wakes it")


def test_cancelling_keeps_what_is_done_and_asks_the_model_nothing_more() -> None:
    async def main() -> None:
        model = Scripted({"writer": forever})
        flows = executor(lambda: chain(Analyst(), Writer(), Reviewer()), model)
        run = flows.start(request())
        await until(run, "step.started", "writer")
        run.cancel("the client left")
        answer = await run.wait()
        assert answer["status"] == "error"
        assert answer["error"]["code"] == "cancelled"
        assert answer["error"]["message"] == "the client left"
        assert answer["results"] == {"analyst": "analyst says so"}
        assert run.events()[-1].type == "run.cancelled"
        assert model.cancelled == ["writer"]
        assert model.steps() == ["analyst", "writer"]
        assert flows.active == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}, "something is left running"

    asyncio.run(main())


def test_a_run_cancelled_before_its_first_step_still_ends() -> None:
    async def main() -> None:
        flows = executor(two, Scripted())
        run = flows.start(request())
        run.cancel()
        await asyncio.wait((run.task,)) if run.task else None
        answer = await run.wait()
        assert answer["error"]["code"] == "cancelled"
        assert flows.active == 0

    asyncio.run(main())


def test_the_run_has_a_time_limit() -> None:
    settings = {"runs": {"timeout": 0.05}}
    answer, events = run_flow(two, Scripted({"writer": forever}), settings=settings)
    assert answer["error"]["code"] == "run_timeout"
    assert answer["error"]["retryable"] is True  # what is finished is not done again
    assert answer["results"] == {"analyst": "analyst says so"}
    assert events[-1].type == "run.failed"


def test_a_step_has_a_time_limit_and_its_attempts_are_counted() -> None:
    slow = agent("slow", timeout=0.02, retries=1)
    model = Scripted({"slow": forever})
    answer, _ = run_flow(lambda: chain(slow()), model)
    assert answer["error"]["code"] == "model_timeout"
    assert answer["error"]["retryable"] is True


def test_twins_at_one_moment_conflict_and_others_do_not() -> None:
    async def main() -> None:
        flows = executor(two, Scripted({"writer": forever}))
        run = flows.start(request())
        with pytest.raises(Conflict) as found:
            flows.start(request())
        assert found.value.code == "run_in_progress"
        other = flows.start(request(story_id="S-2"))
        for each in (run, other):
            each.cancel()
            await each.wait()

    asyncio.run(main())


def test_draining_refuses_new_runs_and_ends_the_late_ones() -> None:
    async def main() -> None:
        model = Scripted({"writer": forever})
        flows = executor(two, model)
        run = flows.start(request())
        await until(run, "step.started", "writer")
        await flows.drain(0.01)
        assert run.answer()["error"]["message"] == "the service is stopping"
        assert run.events()[-1].type in TERMINAL
        with pytest.raises(Conflict) as found:
            flows.start(request(story_id="S-2"))
        assert (found.value.code, found.value.status) == ("draining", 503)

    asyncio.run(main())


def test_unknown_flows_and_agents_are_named() -> None:
    async def main() -> None:
        flows = executor(two, Scripted(), agents=(Analyst,))
        with pytest.raises(NotFound, match="no flow 'nope'"):
            flows.start(request(flow="nope"))
        with pytest.raises(NotFound, match="no agent 'nope'"):
            flows.start(request(agent="nope"))

    asyncio.run(main())


def test_one_agent_alone_with_a_command() -> None:
    async def main() -> None:
        commands = (("summarise", "Say it in three lines."),)
        model = Scripted()
        talker = agent("talker", commands=commands, actions=("yes", "no"))
        memory = Remembering()
        flows = executor(two, model, agents=(talker,), memory=memory)
        run = flows.start(request(agent="talker", command="summarise"))
        assert (await run.wait())["results"] == {"talker": "talker says so"}
        assert "Say it in three lines." in model.asked[0].messages[0].content
        assert model.asked[0].actions == (), "a command is no decision"
        assert memory.values == {}, "a command leaves nothing behind"

    asyncio.run(main())


def test_the_log_of_a_run_can_be_followed_from_anywhere() -> None:
    async def main() -> None:
        run = executor(two, Scripted()).start(request())
        live = [event async for batch in run.log.follow() for event in batch]
        again = [event async for batch in run.log.follow(3) for event in batch]
        assert [event.seq for event in live] == list(range(1, len(live) + 1))
        assert again == live[3:]
        assert any(event.type == "step.delta" for event in live), "followed text is streamed"
        assert run.log.followers == 0

    asyncio.run(main())


def test_a_group_counts_as_one_place_in_the_order() -> None:
    model = Scripted()
    one, two_, last = agent("one"), agent("two"), agent("last")
    answer, _ = run_flow(lambda: chain(Analyst(), ParallelGroup(one(), two_()), last()), model)
    assert model.steps()[0] == "analyst"
    assert model.steps()[-1] == "last"
    seen = model.asked[-1].messages[0].content
    assert "one says so" in seen
    assert "two says so" in seen
    assert next(iter(answer["results"])) == "analyst"
