"""Requests and tokens a minute: never more than allowed, and no longer a wait than needed."""

from __future__ import annotations

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.runtime.rates import WINDOW, Lease, Rates, Window
from tests.runtime.virtual import START, clock, run, turns

LIMIT = st.none() | st.integers(1, 6)


def busiest(calls: list[tuple[float, int]]) -> tuple[int, int]:
    """The most calls, and the most tokens, of any minute; by looking at all of them."""
    minutes = [[t for at, t in calls if begin <= at < begin + WINDOW] for begin, _ in calls]
    return max(map(len, minutes), default=0), max(map(sum, minutes), default=0)


class TestWindow:
    def test_without_limits_nobody_waits(self) -> None:
        window = Window()
        for _ in range(1000):
            assert window.wait(10**9, 5.0) == 0.0
            window.add(10**9, 5.0)

    def test_the_request_after_the_last_one_waits_for_the_first_to_be_a_minute_old(self) -> None:
        window = Window(requests=2)
        window.add(0, 0.0)
        window.add(0, 10.0)
        assert window.wait(0, 15.0) == 45.0
        assert window.wait(0, 60.0) == 0.0
        window.add(0, 60.0)
        assert window.wait(0, 60.0) == 10.0

    def test_tokens_wait_for_as_many_calls_as_they_need(self) -> None:
        window = Window(tokens=100)
        for at, tokens in ((0.0, 40), (5.0, 40), (9.0, 20)):
            window.add(tokens, at)
        assert [window.wait(tokens, 9.0) for tokens in (0, 1, 40, 41, 80, 81)] == [
            *(0.0, 51.0, 51.0, 56.0, 56.0, 60.0)
        ]

    def test_more_than_a_whole_minute_has_waits_for_an_empty_one(self) -> None:
        window = Window(tokens=100)
        assert window.wait(5000, 0.0) == 0.0
        window.add(5000, 0.0)
        assert window.wait(1, 1.0) == 59.0

    def test_settled_tokens_count_as_used(self) -> None:
        window = Window(tokens=100)
        call = window.add(100, 0.0)
        window.settle(call, 30)
        assert (window.wait(70, 1.0), window.wait(71, 1.0)) == (0.0, 59.0)
        window.settle(call, 130)
        assert window.wait(1, 1.0) == 59.0

    def test_a_call_that_was_not_made_never_counts(self) -> None:
        window = Window(requests=1, tokens=100)
        window.drop(window.add(100, 0.0))
        assert window.wait(100, 0.0) == 0.0

    def test_what_is_settled_or_dropped_after_its_minute_changes_nothing(self) -> None:
        window = Window(requests=2, tokens=100)
        late, later = window.add(100, 0.0), window.add(0, 0.0)
        assert window.wait(100, 60.0) == 0.0
        window.settle(late, 10**6)
        window.drop(later)
        window.add(40, 60.0)
        assert (window.wait(60, 60.0), window.wait(61, 60.0)) == (0.0, 60.0)

    @given(
        requests=LIMIT,
        tokens=st.none() | st.integers(1, 100),
        steps=st.lists(
            st.tuples(
                st.floats(0, 70, allow_nan=False),
                st.integers(0, 120),
                st.none() | st.integers(0, 150),
                st.booleans(),
            ),
            max_size=25,
        ),
    )
    def test_no_minute_has_more_than_allowed_and_no_wait_is_too_long(
        self,
        requests: int | None,
        tokens: int | None,
        steps: list[tuple[float, int, int | None, bool]],
    ) -> None:
        window, now = Window(requests, tokens), 0.0
        made: list[list[float]] = []  # when, tokens that count

        def fits(at: float, wanted: int) -> bool:
            counted = [t for when, t in made if at < when + WINDOW]
            is_room = tokens is None or sum(counted) + min(wanted, tokens) <= tokens
            return is_room and (requests is None or len(counted) < requests)

        for pause, wanted, used, is_dropped in steps:
            now += pause
            seconds = window.wait(wanted, now)
            assert (seconds == 0) == fits(now, wanted)
            if seconds:
                assert not fits(math.nextafter(now + seconds, 0) - 1e-9, wanted)
            while seconds := window.wait(wanted, now):
                now += seconds
            assert fits(now, wanted)
            call = window.add(wanted, now)
            made.append([now, wanted])
            if is_dropped:
                window.drop(call)
                made.pop()
            elif used is not None:
                window.settle(call, used)
                made[-1][1] = used
        if requests is not None:
            assert busiest([(at, int(t)) for at, t in made])[0] <= requests


class Calls:
    """Callers of one provider; each says when it came in."""

    def __init__(self, requests: int | None = None, tokens: int | None = None) -> None:
        self.rates = Rates(requests, tokens, clock)
        self.made: list[tuple[str, float]] = []
        self.leases: dict[str, Lease] = {}
        self.tasks: dict[str, asyncio.Task[float]] = {}

    def send(self, name: str, tokens: int = 0) -> None:
        self.tasks[name] = asyncio.create_task(self._take(name, tokens))

    async def _take(self, name: str, tokens: int) -> float:
        self.leases[name], waited = await self.rates.take(name[0], tokens)
        self.made.append((name, clock() - START))
        return waited

    async def done(self) -> dict[str, float | BaseException]:
        found = await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        assert self.rates.waiting == 0
        return dict(zip(self.tasks, found, strict=True))


def test_calls_are_let_in_as_the_minute_allows_in_turns_between_runs() -> None:
    async def main() -> tuple[list[tuple[str, float]], dict[str, float | BaseException]]:
        calls = Calls(requests=2)
        for name in ("a0", "a1", "a2", "a3", "b0", "c0"):
            calls.send(name)
        return calls.made, await calls.done()

    made, waited = run(main())
    assert made == [("a0", 0), ("a1", 0), ("a2", 60), ("b0", 60), ("c0", 120), ("a3", 120)]
    assert waited == {"a0": 0, "a1": 0, "a2": 60, "b0": 60, "c0": 120, "a3": 120}


def test_a_large_call_is_not_passed_by_small_ones() -> None:
    async def main() -> list[tuple[str, float]]:
        calls = Calls(tokens=100)
        calls.send("a0", 90)
        await turns()
        calls.send("b0", 100)
        await turns()
        calls.send("c0", 5)
        await turns()
        assert calls.rates.take_now(1) is None
        await calls.done()
        return calls.made

    assert run(main()) == [("a0", 0), ("b0", 60), ("c0", 120)]


def test_tokens_that_come_back_let_the_next_one_in_at_once() -> None:
    async def main() -> list[tuple[str, float]]:
        calls = Calls(tokens=100)
        calls.send("a0", 100)
        calls.send("b0", 60)
        calls.send("c0", 30)
        await asyncio.sleep(5)
        calls.leases["a0"].settle(40)
        await asyncio.sleep(2)
        calls.leases["b0"].drop()
        await calls.done()
        return calls.made

    assert run(main()) == [("a0", 0), ("b0", 5), ("c0", 7)]


@pytest.mark.parametrize("together", [True, False])
def test_one_who_leaves_makes_room_for_the_next(together: bool) -> None:
    async def main() -> list[tuple[str, float]]:
        calls = Calls(tokens=100)
        calls.send("a0", 60)
        calls.send("b0", 80)
        calls.send("c0", 40)
        await asyncio.sleep(1)
        calls.tasks["b0"].cancel()
        if together:  # the lease is its own at the same moment
            calls.leases["a0"].settle(0)
        found = await calls.done()
        assert isinstance(found["b0"], asyncio.CancelledError)
        return calls.made

    assert run(main()) == [("a0", 0), ("c0", 1)]


def test_a_lease_given_to_one_who_is_cancelled_at_that_moment_is_given_back() -> None:
    async def main() -> list[tuple[str, float]]:
        calls = Calls(requests=1)
        calls.send("a0")
        calls.send("b0")
        calls.send("c0")
        await asyncio.sleep(1)
        calls.leases["a0"].drop()
        calls.tasks["b0"].cancel()
        await calls.done()
        return calls.made

    assert run(main()) == [("a0", 0), ("c0", 1)]


@given(
    requests=LIMIT,
    tokens=st.none() | st.integers(1, 100),
    callers=st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 80), st.integers(0, 90)), max_size=12
    ),
    leavers=st.sets(st.integers(0, 11)),
)
def test_everyone_comes_in_and_no_minute_has_more_than_allowed(
    requests: int | None,
    tokens: int | None,
    callers: list[tuple[str, int, int]],
    leavers: set[int],
) -> None:
    async def main() -> None:
        calls = Calls(requests, tokens)
        for number, (name, wanted, pause) in enumerate(callers):
            calls.send(f"{name}{number}", wanted)
            await asyncio.sleep(pause / 10)
            if number in leavers:
                calls.tasks[f"{name}{number}"].cancel()
        found = await calls.done()
        for name, outcome in found.items():
            if isinstance(outcome, BaseException):
                assert int(name[1:]) in leavers
        wants = {f"{name}{number}": want for number, (name, want, _) in enumerate(callers)}
        capped = [(at, min(wants[name], tokens or 0)) for name, at in calls.made]
        most = busiest(capped)
        assert requests is None or most[0] <= requests
        assert tokens is None or most[1] <= tokens

    run(main())
