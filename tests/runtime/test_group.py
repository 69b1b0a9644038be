"""Members of a group: as early as they can, apart from each other, none lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.runtime.errors import ModelError
from scripts.runtime.group import ParallelGroup
from scripts.runtime.models.protocol import ModelRequest

from .agents import Scripted, agent, chain, executor, request, run_flow, until


def test_members_run_beside_each_other() -> None:
    meeting = asyncio.Barrier(3)

    async def meet(_: ModelRequest) -> str:
        await meeting.wait()  # hangs unless all three are asked at once
        return "met"

    names = ("a", "b", "c")
    model = Scripted(dict.fromkeys(names, meet))
    answer, _ = run_flow(lambda: chain(ParallelGroup(*(agent(n)() for n in names))), model)
    assert answer["results"] == dict.fromkeys(names, "met")


def test_a_member_starts_as_soon_as_its_own_wait_is_over() -> None:
    """No barrier between layers: `after_quick` is done while `slow` still works."""

    async def main() -> None:
        gate = asyncio.Event()

        async def slow(_: ModelRequest) -> str:
            await gate.wait()
            return "slow"

        group = lambda: chain(  # noqa: E731
            ParallelGroup(
                agent("after_slow", wait_for_agents=("slow",))(),
                agent("slow")(),
                agent("quick")(),
                agent("after_quick", wait_for_agents=("quick",))(),
            )
        )
        run = executor(group, Scripted({"slow": slow})).start(request())
        await until(run, "step.completed", "after_quick")
        done = [event.step for event in run.events() if event.type == "step.completed"]
        assert done == ["quick", "after_quick"]
        gate.set()
        answer = await run.wait()
        assert list(answer["results"]) == ["quick", "after_quick", "slow", "after_slow"]

    asyncio.run(main())


def test_a_document_made_in_the_group_is_an_edge() -> None:
    model = Scripted({"maker": "the text"})
    build = lambda: chain(  # noqa: E731
        ParallelGroup(agent("reader", wait_for_docs=("prd",))(), agent("maker", creates="prd")())
    )
    answer, _ = run_flow(build, model, on_missing_doc="error")
    assert answer["status"] == "success"
    assert model.steps() == ["maker", "reader"]
    assert "the text" in model.asked[1].messages[0].content


def test_members_see_what_was_there_before_and_not_each_other() -> None:
    model = Scripted()
    build = lambda: chain(  # noqa: E731
        agent("before")(), ParallelGroup(agent("left")(), agent("right")())
    )
    run_flow(build, model)
    for asked in model.asked[1:]:
        text = asked.messages[0].content
        assert "before says so" in text
        assert "left says so" not in text
        assert "right says so" not in text


def test_a_failure_leaves_the_siblings_alone() -> None:
    model = Scripted({"bad": ModelError("broken", provider="scripted")})
    build = lambda: chain(  # noqa: E731
        ParallelGroup(agent("bad")(), agent("good")(), agent("heir", wait_for_agents=("bad",))()),
        agent("next")(),
    )
    answer, _ = run_flow(build, model)
    assert answer["status"] == "error"
    assert answer["error"]["step"] == "bad"
    assert answer["results"] == {"good": "good says so"}
    assert "heir" not in model.steps()
    assert "next" not in model.steps()


def test_all_missing_documents_of_a_group_are_told_after_the_others_ran() -> None:
    model = Scripted()
    build = lambda: chain(  # noqa: E731
        ParallelGroup(
            agent("one", wait_for_docs=("prd",))(),
            agent("two")(),
            agent("three", wait_for_docs=("design", "prd"))(),
        )
    )
    answer, _ = run_flow(build, model, on_missing_doc="wait")
    assert answer["status"] == "pending"
    assert answer["pending_docs"] == ["S-1__prd", "S-1__design"]
    assert answer["results"] == {"two": "two says so"}


def test_a_circle_is_said_and_never_a_quiet_end() -> None:
    build = lambda: chain(  # noqa: E731
        ParallelGroup(agent("a", wait_for_agents=("b",))(), agent("b", wait_for_agents=("a",))())
    )
    answer, _ = run_flow(build, Scripted())
    assert answer["status"] == "error"
    assert "a, b" in answer["error"]["message"]


@pytest.mark.parametrize("limit", [1, 3])
def test_no_more_members_at_once_than_the_settings_allow(limit: int) -> None:
    now = most = 0

    async def count(_: ModelRequest) -> str:
        nonlocal now, most
        now += 1
        most = max(most, now)
        for _turn in range(5):
            await asyncio.sleep(0)
        now -= 1
        return "ok"

    names = [f"a{n}" for n in range(20)]
    model = Scripted(dict.fromkeys(names, count))
    answer, _ = run_flow(
        lambda: chain(ParallelGroup(*(agent(name)() for name in names))),
        model,
        settings={"runs": {"max_parallel_agents": limit}},
    )
    assert len(answer["results"]) == 20
    assert most == limit


def test_cancelling_a_group_cancels_every_member() -> None:
    async def main() -> None:
        async def forever(_: ModelRequest) -> str:
            await asyncio.Event().wait()
            return "never"

        names = ("a", "b", "c")
        model = Scripted(dict.fromkeys(names, forever))
        build = lambda: chain(ParallelGroup(*(agent(n)() for n in names)))  # noqa: E731
        run = executor(build, model).start(request())
        await until(run, "step.started", "c")
        run.cancel()
        await run.wait()
        assert sorted(model.cancelled) == sorted(names)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


@settings(max_examples=60, deadline=None)
@given(data=st.data(), size=st.integers(1, 12), limit=st.integers(1, 5))
def test_every_graph_of_waits_runs_once_and_in_order(
    data: st.DataObject, size: int, limit: int
) -> None:
    waits: dict[str, tuple[str, ...]] = {}
    for place in range(size):
        earlier = [f"n{other}" for other in range(place)]
        chosen = data.draw(st.lists(st.sampled_from(earlier), unique=True)) if earlier else []
        waits[f"n{place}"] = tuple(chosen)
    pauses = {name: data.draw(st.integers(0, 3)) for name in waits}
    order = data.draw(st.permutations(list(waits)))

    async def pause(asked: ModelRequest) -> str:
        for _ in range(pauses[asked.step]):
            await asyncio.sleep(0)
        return "ok"

    def build() -> Any:
        members = (agent(name, wait_for_agents=waits[name])() for name in order)
        return chain(ParallelGroup(*members))

    model = Scripted(dict.fromkeys(waits, pause))
    answer, events = run_flow(build, model, settings={"runs": {"max_parallel_agents": limit}})
    assert answer["status"] == "success"
    assert sorted(model.steps()) == sorted(waits)
    done: set[str] = set()
    for event in events:
        if event.type == "step.started":
            assert set(waits[str(event.step)]) <= done
        elif event.type == "step.completed":
            done.add(str(event.step))
