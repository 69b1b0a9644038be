"""The breaker: what opens it, who may try, what closes it again."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.runtime.breaker import FAILURES, PAUSE, Breaker, at_fault
from scripts.runtime.errors import ModelError, ModelTimeout, ProviderUnavailable, RateLimitError
from tests.runtime.virtual import clock, run, turns

DOWN = ModelError("503", provider="p", retryable=True, http_status=503)


class Time:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def opened(time: Time) -> Breaker:
    breaker = Breaker("p", time)
    for _ in range(FAILURES):
        breaker.failed(DOWN, breaker.begin())
    return breaker


@pytest.mark.parametrize(
    "error, expected",
    [
        (DOWN, True),
        (ModelError("500", provider="p", http_status=500), True),
        (ModelTimeout("slow", provider="p", seconds=1), True),
        (ModelError("the connection failed", provider="p", retryable=True), True),
        (ModelError("no key", provider="p", http_status=401), False),
        (ModelError("busy", provider="p", retryable=True, http_status=409), False),
        (RateLimitError("429", provider="p"), False),
        (ModelError("the model refused to answer", provider="p"), False),
    ],
)
def test_whose_fault_it_was(error: ModelError, expected: bool) -> None:
    assert at_fault(error) is expected


def test_it_opens_after_so_many_failures_in_a_row() -> None:
    breaker = Breaker("p", Time())
    for _ in range(FAILURES - 1):
        breaker.failed(DOWN, breaker.begin())
    breaker.succeeded(breaker.begin())
    for _ in range(FAILURES - 1):
        breaker.failed(DOWN, breaker.begin())
    assert breaker.closed
    breaker.failed(DOWN, breaker.begin())
    assert not breaker.closed


def test_a_refusal_shows_that_the_provider_is_there() -> None:
    breaker = Breaker("p", Time())
    for _ in range(FAILURES):
        breaker.failed(DOWN, breaker.begin())
        breaker.failed(RateLimitError("429", provider="p"), breaker.begin())
    assert breaker.closed


def test_while_it_is_open_it_says_until_when() -> None:
    time = Time()
    breaker = opened(time)
    time.now += 12
    with pytest.raises(ProviderUnavailable, match=r"p failed 5 times in a row.* in 18 s") as caught:
        breaker.begin()
    error = caught.value
    assert (error.code, error.status, error.retryable) == ("provider_unavailable", 503, True)
    assert (error.provider, error.retry_after) == ("p", PAUSE - 12)


def test_after_the_pause_one_may_try() -> None:
    time = Time()
    breaker = opened(time)
    time.now += PAUSE
    assert breaker.begin() is True
    with pytest.raises(ProviderUnavailable):
        breaker.begin()
    breaker.succeeded(True)
    assert breaker.begin() is False


def test_a_trial_that_fails_opens_it_for_another_pause() -> None:
    time = Time()
    breaker = opened(time)
    time.now += PAUSE + 7
    breaker.failed(DOWN, breaker.begin())
    with pytest.raises(ProviderUnavailable) as caught:
        breaker.begin()
    assert caught.value.retry_after == PAUSE


def test_a_trial_that_is_refused_closes_it() -> None:
    time = Time()
    breaker = opened(time)
    time.now += PAUSE
    breaker.failed(ModelError("400", provider="p", http_status=400), breaker.begin())
    assert breaker.closed


def test_a_trial_that_is_given_up_lets_the_next_one_try() -> None:
    time = Time()
    breaker = opened(time)
    time.now += PAUSE
    breaker.left(breaker.begin())
    assert breaker.begin() is True


def test_calls_from_before_have_no_say_while_it_is_open() -> None:
    time = Time()
    breaker = Breaker("p", time)
    before = [breaker.begin() for _ in range(FAILURES + 2)]
    for trial in before[:FAILURES]:
        breaker.failed(DOWN, trial)
    time.now += 10
    breaker.failed(DOWN, before[-1])
    breaker.succeeded(before[-2])
    with pytest.raises(ProviderUnavailable) as caught:
        breaker.begin()
    assert caught.value.retry_after == PAUSE - 10


def test_who_comes_during_the_trial_waits_for_its_outcome() -> None:
    async def main(works: bool) -> list[object]:
        breaker = Breaker("p", clock)
        for _ in range(FAILURES):
            breaker.failed(DOWN, breaker.begin())
        await asyncio.sleep(PAUSE)
        assert await breaker.ready() == 0.0
        trial = breaker.begin()
        waiters = [asyncio.create_task(breaker.ready()) for _ in range(3)]
        await turns()
        waiters[0].cancel()
        await asyncio.sleep(4)
        breaker.succeeded(trial) if works else breaker.failed(DOWN, trial)
        return list(await asyncio.gather(*waiters, return_exceptions=True))

    left, *others = run(main(works=True))
    assert isinstance(left, asyncio.CancelledError)
    assert others == [4.0, 4.0]
    _, *others = run(main(works=False))
    assert all(isinstance(each, ProviderUnavailable) for each in others)


class Model:
    """What a breaker is, in the plainest words."""

    def __init__(self) -> None:
        self.row = 0
        self.until: float | None = None
        self.trying = False

    def begin(self, now: float) -> bool | None:
        """Whether it is the trial; None: refused."""
        if self.until is None:
            return False
        if now < self.until or self.trying:
            return None
        self.trying = True
        return True

    def end(self, outcome: str, trial: bool, now: float) -> None:
        self.trying = self.trying and not trial
        if outcome == "leave" or not (trial or self.until is None):
            return
        if outcome == "answer":
            self.row, self.until = 0, None
            return
        self.row += 1
        if self.row >= FAILURES:
            self.until = now + PAUSE


def end(breaker: Breaker, outcome: str, trial: bool) -> str:
    """End a call so; what that is to the model."""
    if outcome == "leave":
        breaker.left(trial)
    elif outcome == "fail":
        breaker.failed(DOWN, trial)
    elif outcome == "refuse":
        breaker.failed(RateLimitError("429", provider="p"), trial)
        return "answer"
    else:
        breaker.succeeded(trial)
    return outcome


MOVES = st.sampled_from(["begin", "answer", "fail", "fail", "refuse", "leave"])


@given(st.lists(MOVES | st.floats(0, 2 * PAUSE, allow_nan=False), max_size=60))
def test_it_behaves_as_its_model(moves: list[str | float]) -> None:
    time, model = Time(), Model()
    breaker = Breaker("p", time)
    calls: list[bool] = []
    for move in moves:
        if isinstance(move, float):
            time.now += move
        elif move == "begin":
            expected = model.begin(time.now)
            if expected is None:
                with pytest.raises(ProviderUnavailable):
                    breaker.begin()
            else:
                assert breaker.begin() is expected
                calls.append(expected)
        elif calls:
            trial = calls.pop(0)
            model.end(end(breaker, move, trial), trial, time.now)
        assert (breaker.closed, breaker.trying) == (model.until is None, model.trying)
