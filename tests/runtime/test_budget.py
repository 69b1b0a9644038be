"""Budgets: held before a call, charged after it, right when many steps pay at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.runtime.budget import MAX_TOKENS, Budget, Ledger, Payer, Reservation, estimate
from scripts.runtime.errors import BudgetExceeded, ModelError, ModelTimeout, PriceUnknown
from scripts.runtime.models.protocol import (
    Message,
    ModelReply,
    ModelRequest,
    ToolCall,
    ToolSpec,
    Usage,
)
from scripts.runtime.prices import Prices
from tests.runtime.virtual import clock, run, turns

DEV = Payer("dev", "dev")
FAILED = ModelError("503", provider="acme", http_status=503)
TIMEOUT = ModelTimeout("slow", provider="acme", seconds=1)


@dataclass(frozen=True)
class Own:
    input: float
    output: float
    cached: float | None = None


def ledger(input: float = 1.0, output: float = 1.0) -> Ledger:
    """Dollars for a million tokens; of the model `m`."""
    return Ledger(Prices({"m": Own(input, output)}), clock)


async def hold(
    book: Ledger, budget: Budget, tokens: int = 100, payer: Payer = DEV, model: str = "m"
) -> Reservation:
    return await book.reserve(
        payer, budget, "acme", model, Usage(tokens // 2, tokens - tokens // 2)
    )


def reply(tokens: int, text: str = "", model: str = "m") -> ModelReply:
    return ModelReply(text, usage=Usage(tokens // 2, tokens - tokens // 2), model=model)


class TestEstimate:
    def test_it_counts_all_that_is_sent_and_the_longest_answer(self) -> None:
        request = ModelRequest(
            "s" * 10,
            (
                Message("user", "u" * 20),
                Message("assistant", "a" * 5, (ToolCall("1", "find", "{}"),)),
                Message("tool", "t" * 7, tool_call_id="1"),
            ),
            tools=(ToolSpec("find", "Finds.", {}),),
            max_tokens=500,
            schema={},
        )
        sent = 10 + 20 + 5 + len("find{}") + 7 + len("findFinds.{}") + len("{}")
        assert estimate(request) == Usage(-(-sent // 3), 500)

    def test_an_answer_without_a_bound_is_bounded_by_a_guess(self) -> None:
        assert estimate(ModelRequest("", ())) == Usage(0, MAX_TOKENS)

    def test_scripts_with_more_tokens_than_letters_count_for_more(self) -> None:
        assert estimate(ModelRequest("語" * 30, (), max_tokens=1)).input_tokens == 30
        assert estimate(ModelRequest("\udc80" * 3, (), max_tokens=1)).input_tokens == 3


def test_what_fits_is_held_and_charged() -> None:
    async def main() -> None:
        book = ledger()
        budget = Budget(tokens=250)
        for _ in range(2):
            (await hold(book, budget)).settle(reply(80))
        assert book.spent("dev") == (160, 0.00016)
        with pytest.raises(BudgetExceeded) as caught:
            await hold(book, budget)
        error = caught.value
        assert (error.code, error.status, error.retryable) == ("budget_exceeded", 402, False)
        assert (error.agent, error.unit) == ("dev", "tokens")
        assert (error.budget, error.spent, error.wanted) == (250, 160, 100)
        assert "agent 'dev' may use 250 tokens in a run: 160 are used" in error.message

    run(main())


def test_exactly_the_budget_may_be_used() -> None:
    async def main() -> None:
        book, budget = ledger(), Budget(tokens=300, cost_usd=0.0003)
        for _ in range(3):
            (await hold(book, budget)).settle(reply(100))
        with pytest.raises(BudgetExceeded):
            await hold(book, budget, 1)

    run(main())


def test_dollars_bound_too() -> None:
    async def main() -> None:
        book, budget = ledger(1000, 3000), Budget(cost_usd=0.5)
        (await hold(book, budget)).settle(ModelReply("", usage=Usage(100, 100), model="m"))
        with pytest.raises(BudgetExceeded) as caught:
            await hold(book, budget)
        error = caught.value
        assert (error.unit, error.budget, error.spent, error.wanted) == ("USD", 0.5, 0.4, 0.2)

    run(main())


def test_a_budget_in_dollars_needs_a_price() -> None:
    async def main() -> None:
        with pytest.raises(PriceUnknown, match=r"set llm\.prices") as caught:
            await hold(ledger(), Budget(cost_usd=1), model="nobody-knows")
        assert (caught.value.agent, caught.value.model) == ("dev", "nobody-knows")
        (await hold(ledger(), Budget(tokens=100), model="nobody-knows")).settle(reply(5))

    run(main())


def test_calls_at_the_same_time_cannot_overdraw_and_need_not_fail() -> None:
    async def main() -> None:
        book, budget = ledger(), Budget(tokens=250)
        used: list[float] = []

        async def call() -> None:
            held = await hold(book, budget)
            await asyncio.sleep(10)
            held.settle(reply(20))
            used.append(held.waited)

        async with asyncio.TaskGroup() as group:
            for _ in range(7):
                group.create_task(call())
        assert book.spent("dev")[0] == 140
        assert used == [0, 0, 10, 10, 20, 30, 40]

    run(main())


def test_who_waits_is_refused_once_it_cannot_fit_any_more() -> None:
    async def main() -> None:
        book, budget = ledger(), Budget(tokens=150)
        held = await hold(book, budget)
        waiting = asyncio.create_task(hold(book, budget))
        left = asyncio.create_task(hold(book, budget))
        await turns()
        assert not waiting.done()
        left.cancel()
        held.settle(reply(60))
        with pytest.raises(BudgetExceeded):
            await waiting
        (await hold(book, budget, 90)).settle(reply(1))

    run(main())


@pytest.mark.parametrize(
    "error, charged",
    [(FAILED, 0), (TIMEOUT, 50), (asyncio.CancelledError(), 50), (KeyError(), 0)],
)
def test_a_call_given_up_under_way_has_cost_what_was_sent(
    error: BaseException, charged: int
) -> None:
    async def main() -> None:
        book, budget = ledger(), Budget(tokens=150)
        held = await hold(book, budget)
        held.failed(error)
        held.failed(TIMEOUT)
        held.settle(reply(100))
        assert book.spent("dev") == (charged, charged / 1e6)
        await hold(book, budget, 150 - charged)

    run(main())


def test_a_provider_that_reports_nothing_is_not_free() -> None:
    async def main() -> None:
        book = ledger()
        (await hold(book, Budget(tokens=100))).settle(ModelReply("abcdef"))
        assert book.spent("dev")[0] == 50 + 2

    run(main())


def test_agents_have_budgets_of_their_own_and_so_may_places() -> None:
    async def main() -> None:
        book = ledger()
        (await hold(book, Budget(tokens=100))).settle(reply(100))
        (await hold(book, Budget(tokens=100), payer=Payer("qa", "qa"))).settle(reply(60))
        fixes = Payer("dev", "dev_fixes", own=True)
        (await hold(book, Budget(tokens=120), payer=fixes)).settle(reply(90))
        with pytest.raises(BudgetExceeded) as caught:
            await hold(book, Budget(tokens=120), payer=fixes)
        assert caught.value.spent == 90
        assert book.spent("dev")[0] == 190
        assert book.spent("qa")[0] == 60

    run(main())


def record(name: str, tokens: int, cost: float | None = 0.0) -> dict[str, Any]:
    usage = {"input_tokens": tokens, "output_tokens": 0, "cached_tokens": 0, "calls": 1}
    return {"name": name, "agent": "dev", "usage": {**usage, "cost_usd": cost}}


def test_a_continued_run_begins_with_what_was_spent() -> None:
    async def main() -> None:
        book = ledger()
        book.spent_before(
            [
                record("agent:dev#1", 40, 0.25),
                record("agent:dev#2[0]", 20, 0.5),
                record("agent:publish.dev#1", 5, 0.125),
                {"name": "gate:sign_off#1", "output": {}},
            ]
        )
        assert book.spent("dev") == (65, 0.875)
        with pytest.raises(BudgetExceeded) as caught:
            await hold(book, Budget(tokens=100))
        assert caught.value.spent == 65
        inner = Payer("dev", "publish.dev", own=True)
        (await hold(book, Budget(tokens=100), 95, inner)).failed(FAILED)
        with pytest.raises(BudgetExceeded) as caught:
            await hold(book, Budget(tokens=100), 96, inner)
        assert caught.value.spent == 5

    run(main())


def test_a_past_cost_that_nobody_knows_refuses_a_budget_in_dollars() -> None:
    async def main() -> None:
        book = ledger()
        book.spent_before([record("agent:dev#1", 0, None)])
        await hold(book, Budget(cost_usd=1))
        book.spent_before([record("agent:dev#2", 40, None)])
        assert book.spent("dev") == (40, None)
        with pytest.raises(PriceUnknown):
            await hold(book, Budget(cost_usd=1))

    run(main())


CALLS = st.lists(
    st.tuples(
        st.integers(0, 120),  # tokens that it may need
        st.integers(0, 10),  # when it comes
        st.integers(0, 10),  # how long it takes
        st.sampled_from(["settle", "fail", "timeout", "cancel"]),
        st.integers(0, 100),  # per cent of them that it uses
    ),
    max_size=12,
)


@given(ceiling=st.integers(1, 300), calls=CALLS)
def test_whatever_happens_at_once_the_ceiling_holds_and_nothing_stays_held(
    ceiling: int, calls: list[tuple[int, int, int, str, int]]
) -> None:
    async def main() -> None:
        book, budget = ledger(), Budget(tokens=ceiling)
        spent, held_now = 0, 0
        refused: list[tuple[float, int, int]] = []

        async def one(wanted: int, begin: int, seconds: int, outcome: str, share: int) -> None:
            nonlocal spent, held_now
            await asyncio.sleep(begin)
            try:
                held = await hold(book, budget, wanted)
            except BudgetExceeded as error:
                refused.append((error.spent, spent, wanted))
                return
            held_now += wanted
            assert spent + held_now <= ceiling
            used = {"fail": 0, "settle": wanted * share // 100}.get(outcome, wanted // 2)
            await asyncio.sleep(seconds)
            held_now -= wanted
            if outcome == "settle" and used:
                held.settle(reply(used))
            else:
                used = 0 if outcome in ("fail", "settle") else used
                held.failed(
                    {"cancel": asyncio.CancelledError(), "timeout": TIMEOUT}.get(outcome, FAILED)
                )
            spent += used

        await asyncio.gather(*(one(*call) for call in calls))
        assert held_now == 0
        assert all(said == was and was + wanted > ceiling for said, was, wanted in refused)
        assert book.spent("dev")[0] == spent <= ceiling
        if spent < ceiling:
            await hold(book, budget, ceiling - spent)

    run(main())
