"""A call on its way to a provider: what it waits for, what it leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from scripts.runtime.breaker import FAILURES, PAUSE
from scripts.runtime.errors import ModelError, ProviderUnavailable
from scripts.runtime.lanes import Lane, Lanes
from scripts.runtime.models.protocol import ModelReply, Usage
from tests.runtime.virtual import START, clock, run, turns

DOWN = ModelError("503", provider="p", retryable=True, http_status=503)
REPLY = ModelReply("hello", usage=Usage(7, 3))


@dataclass(frozen=True)
class Limit:
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


class Callers:
    """Calls on one lane, and what each of them met."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.sent: list[tuple[str, float]] = []
        self.waits: dict[str, list[tuple[str, float]]] = {}

    def call(
        self,
        name: str,
        answer: Callable[[], Awaitable[ModelReply]] | None = None,
        tokens: int = 50,
    ) -> asyncio.Task[ModelReply]:
        async def send() -> ModelReply:
            self.sent.append((name, clock() - START))
            return await answer() if answer is not None else REPLY

        async def queued(reason: str, seconds: float) -> None:
            self.waits.setdefault(name, []).append((reason, seconds))

        return asyncio.create_task(self.lane.call(name[0], lambda: tokens, send, queued))


async def slow() -> ModelReply:
    await asyncio.sleep(10)
    return REPLY


async def down() -> ModelReply:
    raise DOWN


async def broken() -> ModelReply:
    raise KeyError("ours")


def lanes(places: int = 10, **limits: Limit) -> Lanes:
    return Lanes(places, limits, clock)


async def open_breaker(callers: Callers) -> None:
    for _ in range(FAILURES):
        with pytest.raises(ModelError):
            await callers.call("x0", down)


def test_an_answer_comes_through_and_nobody_was_told_to_wait() -> None:
    async def main() -> None:
        callers = Callers(lanes().of("p"))
        assert await callers.call("a0") is REPLY
        assert callers.waits == {}
        assert callers.lane.places.free == 10

    run(main())


def test_a_provider_has_one_lane_and_all_share_the_places() -> None:
    async def main() -> None:
        all_lanes = lanes(1)
        assert all_lanes.of("p") is all_lanes.of("p")
        first, second = Callers(all_lanes.of("p")), Callers(all_lanes.of("q"))
        tasks = [first.call("a0", slow), second.call("b0")]
        await asyncio.gather(*tasks)
        assert second.waits == {"b0": [("concurrency", 10.0)]}
        assert all_lanes.places.free == 1

    run(main())


@pytest.mark.parametrize("answer", [down, broken])
def test_errors_come_through_and_leave_nothing_behind(
    answer: Callable[[], Awaitable[ModelReply]],
) -> None:
    async def main() -> None:
        all_lanes = lanes(1, p=Limit(tokens_per_minute=100))
        callers = Callers(all_lanes.of("p"))
        with pytest.raises((ModelError, KeyError)) as caught:
            await callers.call("a0", answer)
        assert not isinstance(caught.value, ProviderUnavailable)
        assert all_lanes.places.free == 1

    run(main())


def test_who_waits_for_the_minute_holds_no_place_meanwhile() -> None:
    async def main() -> None:
        all_lanes = lanes(1, p=Limit(requests_per_minute=1))
        limited, free = Callers(all_lanes.of("p")), Callers(all_lanes.of("q"))
        await limited.call("a0")
        waiting = limited.call("b0")
        await turns()
        await free.call("c0")
        await waiting
        assert free.sent == [("c0", 0)]
        assert limited.sent == [("a0", 0), ("b0", 60)]
        assert limited.waits == {"b0": [("rate_limit", 60.0)]}

    run(main())


def test_tokens_are_settled_by_what_was_reported() -> None:
    async def main() -> None:
        callers = Callers(lanes(p=Limit(tokens_per_minute=100)).of("p"))
        for number in range(6):  # 10 tokens each, though 50 were expected
            await callers.call(f"a{number}")
        assert [at for _, at in callers.sent] == [0] * 6
        await callers.call("a6")
        assert callers.sent[-1] == ("a6", 60)

    run(main())


def test_a_refused_call_used_no_tokens_and_one_given_up_keeps_its_estimate() -> None:
    async def main() -> None:
        callers = Callers(lanes(p=Limit(tokens_per_minute=100)).of("p"))
        with pytest.raises(ModelError):
            await callers.call("a0", down, tokens=100)
        left = callers.call("a1", slow, tokens=100)
        await turns()
        left.cancel()
        await callers.call("a2")
        assert callers.sent == [("a0", 0), ("a1", 0), ("a2", 60)]

    run(main())


def test_a_provider_that_is_down_is_not_asked() -> None:
    async def main() -> None:
        callers = Callers(lanes(1).of("p"))
        await open_breaker(callers)
        with pytest.raises(ProviderUnavailable):
            await callers.call("a0")
        assert len(callers.sent) == FAILURES
        assert callers.lane.places.free == 1

    run(main())


def test_one_tries_and_the_others_wait_for_the_outcome_without_places() -> None:
    async def main(trial: Callable[[], Awaitable[ModelReply]]) -> tuple[Callers, list[object]]:
        callers = Callers(lanes(2).of("p"))
        await open_breaker(callers)
        callers.sent.clear()
        await asyncio.sleep(PAUSE)
        tasks = [callers.call("a0", trial), *(callers.call(f"b{n}") for n in range(3))]
        await turns(20)
        assert callers.lane.places.free == 1
        found: list[object] = list(await asyncio.gather(*tasks, return_exceptions=True))
        assert callers.lane.places.free == 2
        return callers, found

    async def down_later() -> ModelReply:
        await asyncio.sleep(10)
        raise DOWN

    callers, found = run(main(slow))
    assert found == [REPLY] * 4
    assert callers.sent == [("a0", 30), ("b0", 40), ("b1", 40), ("b2", 40)]
    assert callers.waits == {f"b{n}": [("breaker", 10.0)] for n in range(3)}

    callers, found = run(main(down_later))
    assert [type(each) for each in found] == [ModelError] + [ProviderUnavailable] * 3
    assert callers.sent == [("a0", 30)]


def test_a_trial_that_is_cancelled_passes_the_right_on() -> None:
    async def main() -> None:
        callers = Callers(lanes(2).of("p"))
        await open_breaker(callers)
        callers.sent.clear()
        await asyncio.sleep(PAUSE)
        trial = callers.call("a0", slow)
        others = [callers.call(f"b{number}") for number in range(3)]
        await turns(20)
        trial.cancel()
        assert await asyncio.gather(*others) == [REPLY] * 3
        assert callers.lane.breaker.closed
        assert callers.lane.places.free == 2

    run(main())


def test_one_who_waited_while_the_provider_went_down_does_not_ask() -> None:
    async def main() -> None:
        all_lanes = lanes(1, p=Limit(requests_per_minute=6))
        callers = Callers(all_lanes.of("p"))
        blocker = Callers(all_lanes.of("q")).call("z0", slow)
        await turns()
        failing = [callers.call(f"{number}0", down) for number in range(FAILURES)]
        last = callers.call("a0")
        found = await asyncio.gather(*failing, last, return_exceptions=True)
        await blocker
        assert isinstance(found[-1], ProviderUnavailable)
        assert [name for name, _ in callers.sent] == [f"{number}0" for number in range(FAILURES)]
        assert all_lanes.places.free == 1
        # Its leave was given back: the sixth call of the minute may still be made.
        await asyncio.sleep(PAUSE)
        assert await callers.call("a1") is REPLY
        assert callers.sent[-1] == ("a1", 40)

    run(main())


@pytest.mark.parametrize("seconds", [5, 15])
def test_cancelled_callers_leave_nothing_behind(seconds: float) -> None:
    async def main() -> None:
        all_lanes = lanes(2, p=Limit(requests_per_minute=4))
        callers = Callers(all_lanes.of("p"))
        tasks = [callers.call(f"{number}0", slow) for number in range(9)]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (all_lanes.places.free, all_lanes.places.waiting) == (2, 0)
        assert callers.lane.rates is not None
        assert callers.lane.rates.waiting == 0

    run(main())
