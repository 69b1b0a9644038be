"""Places of the process: bounded, fair between runs, never lost."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.runtime.fairness import FairPlaces
from tests.runtime.virtual import clock, run, turns

RUNS = "abcd"


class Crowd:
    """Takers of places, in the order in which they were served."""

    def __init__(self, places: FairPlaces) -> None:
        self.places = places
        self.served: list[str] = []
        self.holding = 0
        self.tasks: list[asyncio.Task[None]] = []

    def send(self, name: str) -> None:
        self.tasks.append(asyncio.create_task(self._take(name)))

    async def _take(self, name: str) -> None:
        if not self.places.take_now(name[0]):
            await self.places.take(name[0])
        self.served.append(name)
        self.holding += 1

    async def give(self) -> None:
        self.holding -= 1
        self.places.give()
        await turns()

    async def gone(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        while self.holding:
            await self.give()


def test_places_that_are_free_are_taken_at_once() -> None:
    places = FairPlaces(2)
    assert [places.take_now(name) for name in "aaa"] == [True, True, False]
    places.give()
    assert places.free == 1
    assert places.take_now("b")


@pytest.mark.parametrize("number", [1, 16])
def test_a_run_of_a_hundred_does_not_starve_a_hundred_runs_of_one(number: int) -> None:
    async def main() -> list[str]:
        crowd = Crowd(FairPlaces(number))
        for agent in range(100):
            crowd.send(f"L{agent}")
        await turns()
        for single in range(100):
            crowd.send(f"{chr(1000 + single)}0")
        await turns()
        while crowd.holding:
            await crowd.give()
        return crowd.served

    served = run(main())
    assert len(served) == 200
    large = [name for name in served if name[0] == "L"]
    assert large == [f"L{agent}" for agent in range(100)]
    # The large run had the free places, then one turn before them all: it was there first.
    assert [name[0] for name in served[number + 1 : number + 101]] == [
        chr(1000 + single) for single in range(100)
    ]


def test_a_late_run_waits_for_one_turn_of_each_that_waits() -> None:
    async def main() -> list[str]:
        crowd = Crowd(FairPlaces(1))
        for name in ("a0", "a1", "a2", "a3", "b0", "b1", "b2"):
            crowd.send(name)
        await turns()
        crowd.send("c0")
        await turns()
        while crowd.holding:
            await crowd.give()
        return crowd.served

    assert run(main()) == ["a0", "a1", "b0", "c0", "a2", "b1", "a3", "b2"]


def test_how_long_it_took_is_told() -> None:
    async def main() -> tuple[float, float]:
        places = FairPlaces(1, clock)
        at_once = await places.take("a")
        waiter = asyncio.create_task(places.take("b"))
        await asyncio.sleep(2.5)
        places.give()
        return at_once, await waiter

    assert run(main()) == (0.0, 2.5)


def test_one_who_is_cancelled_while_being_served_hands_the_place_on() -> None:
    async def main() -> None:
        places = FairPlaces(1)
        assert places.take_now("a")
        first = asyncio.create_task(places.take("a"))
        second = asyncio.create_task(places.take("b"))
        await turns()
        places.give()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await second
        assert (places.free, places.waiting) == (0, 0)

    run(main())


def test_one_who_was_just_cancelled_is_passed_over_and_costs_its_run_no_turn() -> None:
    async def main() -> list[str]:
        crowd = Crowd(FairPlaces(1))
        for name in ("x0", "a0", "a1", "b0"):
            crowd.send(name)
        await turns()
        crowd.tasks[1].cancel()
        crowd.places.give()  # in the same turn: a0 has not yet left by itself
        await turns()
        assert crowd.tasks[1].cancelled()
        await crowd.give()
        await crowd.gone()
        return crowd.served

    assert run(main()) == ["x0", "a1", "b0"]


Moves = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from(RUNS)),
        st.tuples(st.just("give"), st.booleans()),
        st.tuples(st.just("cancel"), st.integers(0, 30)),
        st.tuples(st.just("turn"), st.none()),
    ),
    max_size=60,
)


@given(number=st.integers(1, 4), moves=Moves)
def test_no_place_is_lost_whoever_comes_goes_or_is_cancelled(
    number: int, moves: list[tuple[str, object]]
) -> None:
    async def main() -> None:
        crowd = Crowd(FairPlaces(number))
        sent: Counter[str] = Counter()
        for kind, what in moves:
            if kind == "send":
                crowd.send(f"{what}{sent[str(what)]}")
                sent[str(what)] += 1
            elif kind == "give" and crowd.holding:
                crowd.holding -= 1
                crowd.places.give()
            elif kind == "cancel" and crowd.tasks:
                crowd.tasks[int(str(what)) % len(crowd.tasks)].cancel()
            elif kind == "turn":
                await turns()
                assert crowd.holding + crowd.places.free == number
                assert not (crowd.places.free and crowd.places.waiting)
            assert crowd.holding <= number
        for name in RUNS:
            numbers = [int(each[1:]) for each in crowd.served if each[0] == name]
            assert numbers == sorted(numbers)
        await crowd.gone()
        assert (crowd.places.free, crowd.places.waiting) == (number, 0)

    run(main())


@given(rows=st.lists(st.integers(1, 6), min_size=1, max_size=6))
def test_turns_go_round(rows: list[int]) -> None:
    async def main() -> list[str]:
        crowd = Crowd(FairPlaces(1))
        assert crowd.places.take_now("first")
        crowd.holding = 1
        for row, members in enumerate(rows):
            for member in range(members):
                crowd.send(f"{row}{member}")
        await turns()
        while crowd.holding:
            await crowd.give()
        return crowd.served

    expected = [
        f"{row}{round_}"
        for round_ in range(6)
        for row, members in enumerate(rows)
        if round_ < members
    ]
    assert run(main()) == expected
