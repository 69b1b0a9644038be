"""Runs within their limits: budgets, prices, a provider that is down, turns between runs."""

from __future__ import annotations

import asyncio
from typing import Any

from scripts.runtime.breaker import FAILURES
from scripts.runtime.budget import Budget
from scripts.runtime.errors import ModelError
from scripts.runtime.group import ParallelGroup
from scripts.runtime.lanes import Lanes
from scripts.runtime.models.protocol import ModelReply, ModelRequest, Usage
from tests.runtime import virtual
from tests.runtime.agents import Scripted, agent, chain, executor, request, run_flow

LIST = {"type": "array"}
PRICES = {"llm": {"prices": {"scripted-1": {"input": 1000, "output": 2000}}}}


def said(tokens: int) -> ModelReply:
    return ModelReply("said", usage=Usage(tokens, tokens))


def events_of(events: list[Any], type: str) -> list[dict[str, Any]]:
    return [dict(event.data) for event in events if event.type == type]


def test_an_answer_says_what_it_cost() -> None:
    one, two = agent("one"), agent("two")
    model = Scripted({"one": said(10), "two": said(5)})
    answer, _ = run_flow(lambda: chain(one(), two()), model, settings=PRICES)
    assert answer["usage"]["cost_usd"] == 0.045


def test_a_cost_that_is_not_known_is_null() -> None:
    one = agent("one")
    answer, _ = run_flow(lambda: chain(one()), Scripted({"one": said(10)}))
    assert answer["usage"]["cost_usd"] is None
    assert answer["usage"]["input_tokens"] == 10


def test_a_budget_ends_the_run_before_the_call_that_could_go_over_it() -> None:
    dev = agent("dev", budget=Budget(tokens=1000), max_tokens=600)
    model = Scripted({"dev": said(100), "again": said(200), "third": said(1)})
    answer, _ = run_flow(lambda: chain(dev(), dev(id="again"), dev(id="third")), model)
    assert model.steps() == ["dev", "again"]
    assert list(answer["results"]) == ["dev", "again"]
    error = answer["error"]
    assert (error["code"], error["step"], error["retryable"]) == ("budget_exceeded", "third", False)
    assert "agent 'dev' may use 1,000 tokens in a run: 600 are used" in error["message"]


def test_a_budget_in_dollars_without_a_price_asks_nobody() -> None:
    dev = agent("dev", budget=Budget(cost_usd=1))
    model = Scripted()
    answer, _ = run_flow(lambda: chain(dev()), model)
    assert (answer["error"]["code"], model.asked) == ("price_unknown", [])


def test_parallel_steps_of_one_agent_share_its_budget_and_wait_for_each_other() -> None:
    dev = agent("dev", budget=Budget(tokens=1500), max_tokens=600)
    busy = most = 0

    async def answer_later(_: ModelRequest) -> ModelReply:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0)
        busy -= 1
        return said(10)

    model = Scripted({f"dev{number}": answer_later for number in range(6)})
    group = lambda: chain(ParallelGroup(*(dev(id=f"dev{n}") for n in range(6))))  # noqa: E731
    answer, events = run_flow(group, model)
    assert answer["status"] == "success"
    assert most == 2
    assert {each["reason"] for each in events_of(events, "step.queued")} == {"budget"}


def test_a_continued_run_pays_for_what_was_done_before() -> None:
    dev = agent("dev", budget=Budget(tokens=1000), max_tokens=600)
    other = agent("other")
    model = Scripted(
        {"dev": said(200), "other": [ModelError("no", provider="p"), "fine"], "last": said(1)}
    )

    async def main() -> dict[str, Any]:
        runs = executor(lambda: chain(dev(), other(), dev(id="last")), model)
        first = await runs.start(request()).wait()
        assert first["error"]["step"] == "other"
        return await runs.start(request()).wait()

    error = asyncio.run(main())["error"]
    assert (error["code"], error["step"]) == ("budget_exceeded", "last")
    assert ": 400 are used" in error["message"]


def test_a_provider_that_is_down_is_left_alone() -> None:
    one = agent("one", retries=1)
    model = Scripted({"one": ModelError("down", provider="p", http_status=503)})

    async def main() -> list[str]:
        runs = executor(lambda: chain(one()), model)
        return [
            (await runs.start(request(story_id=f"S-{n}")).wait())["error"]["code"]
            for n in range(FAILURES + 2)
        ]

    codes = asyncio.run(main())
    assert codes == ["model_failed"] * FAILURES + ["provider_unavailable"] * 2
    assert len(model.asked) == FAILURES


def test_a_run_of_a_hundred_does_not_hold_up_a_hundred_of_one() -> None:
    small, large = agent("small"), agent("large")

    async def turn(_: ModelRequest) -> str:
        await asyncio.sleep(0)
        return "done"

    model = Scripted({"small": turn} | {f"large{number}": turn for number in range(100)})
    group = lambda: chain(ParallelGroup(*(large(id=f"large{n}") for n in range(100))))  # noqa: E731
    settings = {"llm": {"max_concurrency": 2}, "runs": {"max_parallel_agents": 100}}

    async def main() -> list[str]:
        first = executor(group, model, settings=settings)
        second = executor(lambda: chain(small()), model, settings=settings)
        object.__setattr__(second.services, "lanes", first.services.lanes)
        runs = [first.start(request())]
        while len(model.asked) < 2:
            await asyncio.sleep(0)
        runs += [second.start(request(story_id=f"S-{number}")) for number in range(100)]
        for run in runs:
            assert (await run.wait())["status"] == "success"
        queued = events_of(list(runs[0].events()), "step.queued")
        assert {each["reason"] for each in queued} == {"concurrency"}
        return model.steps()

    asked = asyncio.run(main())
    last_small = max(place for place, step in enumerate(asked) if step == "small")
    assert asked.count("small") == 100
    assert last_small < 110  # of 200: it had two before they came, and few turns since


def test_members_that_wait_for_a_place_in_their_run_say_so() -> None:
    member, lister, worker = agent("member"), agent("lister", output=LIST), agent("worker")

    async def turn(_: ModelRequest) -> str:
        await asyncio.sleep(0)
        return "done"

    names = [f"m{number}" for number in range(5)]
    model = Scripted(
        dict.fromkeys([*names, "worker"], turn) | {"lister": '["a", "b", "c"]', "m4": "at once"}
    )
    group = lambda: chain(  # noqa: E731
        ParallelGroup(*(member(id=name) for name in names)),
        lister(),
        worker(for_each=("lister",)),
    )
    settings = {"runs": {"max_parallel_agents": 2}}
    answer, events = run_flow(group, model, settings=settings)
    assert answer["status"] == "success"
    queued = [event for event in events if event.type == "step.queued"]
    assert [event.step for event in queued] == ["m2", "m3", "m4", "worker"]
    assert {event.data["reason"] for event in queued} == {"run"}
    assert all(event.data["waited_ms"] >= 0 for event in queued)


def test_a_place_inside_a_group_is_waited_for_too() -> None:
    """Items of a list in a group need places beside those of the group."""
    lister, worker = agent("lister", output=LIST), agent("worker")

    async def turn(_: ModelRequest) -> str:
        await virtual.turns()  # until the others have come
        return "done"

    model = Scripted({"lister": '["a", "b"]', "one": turn, "two": turn})
    group = lambda: chain(  # noqa: E731
        lister(),
        ParallelGroup(*(worker(id=name, for_each=("lister",)) for name in ("one", "two"))),
    )
    settings = {"runs": {"max_parallel_agents": 2}}
    answer, events = run_flow(group, model, settings=settings)
    assert answer["results"]["two"] == ["done"] * 2
    assert events_of(events, "step.queued") != []
    assert {each["reason"] for each in events_of(events, "step.queued")} == {"run"}


def test_a_providers_minute_is_kept_by_all_runs_together() -> None:
    """Two requests a minute, three runs of two steps: the last begins two minutes later."""
    settings = {"llm": {"limits": {"scripted": {"requests_per_minute": 2}}}}
    one, two = agent("one"), agent("two")

    async def main() -> None:
        asked: list[float] = []

        async def note(_: ModelRequest) -> str:
            asked.append(virtual.clock())
            return "said"

        model = Scripted({"one": note, "two": note})
        runs = executor(lambda: chain(one(), two()), model, settings=settings)
        limits = runs.services.settings.llm.limits
        object.__setattr__(runs.services, "lanes", Lanes(16, limits, virtual.clock))
        started = [runs.start(request(story_id=f"S-{number}")) for number in range(3)]
        for run in started:
            assert (await run.wait())["status"] == "success"
        assert [round(moment) for moment in asked] == [0, 0, 60, 60, 120, 120]
        queued = [each for run in started for each in events_of(list(run.events()), "step.queued")]
        assert {each["reason"] for each in queued} == {"rate_limit"}
        assert sorted(round(each["waited_ms"] / 60_000) for each in queued) == [1, 1, 1, 1]

    virtual.run(main())


def test_tokens_a_minute_are_kept_too() -> None:
    settings = {"llm": {"limits": {"scripted": {"tokens_per_minute": 1000}}}}
    one = agent("one", max_tokens=500)

    async def main() -> None:
        model = Scripted({"one": said(400)})
        runs = executor(lambda: chain(one()), model, settings=settings)
        limits = runs.services.settings.llm.limits
        object.__setattr__(runs.services, "lanes", Lanes(16, limits, virtual.clock))
        for number in range(2):
            answer = await runs.start(request(story_id=f"S-{number}")).wait()
            assert answer["status"] == "success"
        assert 59 < virtual.clock() < 61

    virtual.run(main())
