"""Time limits and places: they bound, they hand on, they lose nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest

from scripts.runtime.deadline import Waiting, deadlines_of
from scripts.runtime.waiting import Places, together, within

from .virtual import VirtualLoop, clock
from .virtual import run as run_virtually


async def at_once() -> str:
    return "done"


async def later(turns: int) -> str:
    for _ in range(turns):
        await asyncio.sleep(0)
    return "done"


async def never() -> str:
    await asyncio.Event().wait()
    return "never"


async def fails(turns: int) -> str:
    await later(turns)
    raise KeyError("mine")


@pytest.mark.parametrize("call", [at_once, lambda: later(1), lambda: later(7)])
def test_the_result_comes_through(call: type[Awaitable[str]]) -> None:
    assert asyncio.run(within(10, call())) == "done"


@pytest.mark.parametrize("turns", [0, 3])
def test_errors_come_through(turns: int) -> None:
    with pytest.raises(KeyError):
        asyncio.run(within(10, fails(turns)))


def test_what_takes_too_long_is_cancelled() -> None:
    with pytest.raises(TimeoutError):
        asyncio.run(within(0.01, never()))


def test_futures_and_nested_limits_work_below() -> None:
    async def main() -> str:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, "woken")
        with pytest.raises(TimeoutError):
            await within(10, within(0.01, never()))
        return await within(10, future)

    assert asyncio.run(main()) == "woken"


def test_cancelling_from_outside_is_not_a_time_out() -> None:
    async def main() -> None:
        task = asyncio.create_task(within(10, never()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_places_are_given_in_order_and_never_lost() -> None:
    async def main() -> None:
        places = Places(2)
        order: list[int] = []

        async def visit(number: int) -> None:
            await places.take()
            try:
                order.append(number)
                await later(number % 3)
            finally:
                places.give()

        tasks = [asyncio.create_task(visit(number)) for number in range(20)]
        await asyncio.sleep(0)
        for task in tasks[5:20:4]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert order == sorted(order)
        assert set(range(20)) - set(order) == {5, 9, 13, 17}
        assert places.take_now()
        assert places.take_now()
        assert not places.take_now()

    asyncio.run(main())


def test_a_place_given_to_someone_cancelled_at_that_moment_is_handed_on() -> None:
    async def main() -> None:
        places = Places(1)
        assert places.take_now()
        first = asyncio.create_task(places.take())
        second = asyncio.create_task(places.take())
        await asyncio.sleep(0)
        places.give()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await asyncio.wait_for(second, 5)

    asyncio.run(main())


def test_one_who_is_cancelled_before_its_place_comes_is_passed_over() -> None:
    async def main() -> None:
        places = Places(1)
        assert places.take_now()
        first = asyncio.create_task(places.take())
        second = asyncio.create_task(places.take())
        await asyncio.sleep(0)
        first.cancel()
        places.give()  # in the same turn: the first has not yet left by itself
        with pytest.raises(asyncio.CancelledError):
            await first
        await asyncio.wait_for(second, 5)

    asyncio.run(main())


def test_a_place_that_is_free_takes_no_time() -> None:
    assert asyncio.run(Places(1).take()) == 0.0


class TestTogether:
    def test_results_are_in_order(self) -> None:
        async def run() -> None:
            assert await together([]) == []
            calls = [later(turns) if turns else at_once() for turns in (0, 3, 0, 1, 5)]
            assert await together(calls) == ["done"] * 5

        asyncio.run(run())

    def test_all_wait_at_the_same_time(self) -> None:
        async def run() -> None:
            meeting = asyncio.Barrier(3)

            async def meet(name: str) -> str:
                await meeting.wait()  # hangs unless all three are here
                return name

            assert await together(meet(name) for name in "abc") == ["a", "b", "c"]

        asyncio.run(run())

    def test_what_does_not_wait_needs_no_task(self) -> None:
        async def run() -> None:
            async def who() -> object:
                return asyncio.current_task()

            assert set(await together(who() for _ in range(5))) == {asyncio.current_task()}
            assert len(asyncio.all_tasks()) == 1

        asyncio.run(run())

    @pytest.mark.parametrize("before", [[], [at_once], [lambda: later(1)]])
    @pytest.mark.parametrize("turns", [0, 3])
    def test_a_failure_ends_the_others(
        self, before: list[Callable[[], Coroutine[Any, Any, str]]], turns: int
    ) -> None:
        async def run() -> None:
            with pytest.raises(KeyError):
                await together([*(make() for make in before), fails(turns), never(), never()])
            assert len(asyncio.all_tasks()) == 1

        asyncio.run(run())

    def test_cancelling_ends_all(self) -> None:
        async def run() -> None:
            waiting = asyncio.create_task(together([never(), never(), never()]))
            await later(3)
            assert len(asyncio.all_tasks()) == 4
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert len(asyncio.all_tasks()) == 1

        asyncio.run(run())


class CountingLoop(VirtualLoop):
    """Counts the timers that are set."""

    timers = 0

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:
        self.timers += 1
        return super().call_at(when, callback, *args, context=context)


class TestDeadlines:
    def test_waits_of_one_length_share_a_timer(self) -> None:
        async def main() -> int:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, CountingLoop)
            found = await asyncio.gather(*(within(60, later(3)) for _ in range(200)))
            assert found == ["done"] * 200
            return loop.timers

        with asyncio.Runner(loop_factory=CountingLoop) as runner:
            assert runner.run(main()) == 1

    def test_each_ends_at_its_own_time(self) -> None:
        async def late(start: float, seconds: float) -> float:
            await asyncio.sleep(start)
            with pytest.raises(TimeoutError):
                await within(seconds, never())
            return clock()

        async def main() -> list[float]:
            waits = [(0, 8), (1, 8), (2, 8), (3, 4), (0, 32), (40, 8)]
            return await asyncio.gather(*(late(*each) for each in waits))

        assert run_virtually(main()) == [8, 9, 10, 7, 32, 48]

    def test_what_ended_in_time_leaves_the_others_theirs(self) -> None:
        async def one(number: int) -> float:
            if number % 2:
                await within(8, asyncio.sleep(4 + number / 4))
            else:
                with pytest.raises(TimeoutError):
                    await within(8, never())
            return clock()

        async def main() -> list[float]:
            return await asyncio.gather(*map(one, range(6)))

        assert run_virtually(main()) == [8, 4.25, 8, 4.75, 8, 5.25]

    def test_the_task_goes_on_after_its_time_is_over(self) -> None:
        async def stubborn() -> str:
            try:
                await never()
            except asyncio.CancelledError:
                return "last words"
            return "never"

        async def main() -> None:
            assert await within(1, stubborn()) == "last words"
            task = asyncio.current_task()
            assert task is not None
            assert task.cancelling() == 0
            await asyncio.sleep(1)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await within(2, never())
            assert task.cancelling() == 0

        run_virtually(main())

    def test_cancelled_by_others_at_the_same_moment_is_no_time_out(self) -> None:
        async def main() -> None:
            task = asyncio.create_task(within(1, never()))
            asyncio.get_running_loop().call_later(1, task.cancel)
            with pytest.raises(asyncio.CancelledError):
                await task

        run_virtually(main())

    def test_nothing_is_left_behind(self) -> None:
        async def main() -> Waiting:
            for call in (later(2), fails(2)):
                with suppress(KeyError):
                    await within(5, call)
            task = asyncio.create_task(within(5, never()))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            with pytest.raises(TimeoutError):
                await within(5, never())
            return deadlines_of(asyncio.get_running_loop())[5]

        assert run_virtually(main()).deadlines == {}
