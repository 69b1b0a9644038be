"""What an agent may use up in one run, and what it has."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NamedTuple

from .errors import BudgetExceeded, ModelTimeout, PriceUnknown
from .fairness import Clock
from .models.protocol import ModelReply, ModelRequest, Usage
from .prices import NOTHING, Prices, added, dollars, exact

CHARACTERS: Final = 3  # a token, at least
MAX_TOKENS: Final = 4096  # of an answer whose length nobody bounds


@dataclass(frozen=True, slots=True)
class Budget:
    """A ceiling in tokens, in US dollars, or both; None means none."""

    tokens: int | None = None
    cost_usd: float | None = None


def estimate(request: ModelRequest) -> Usage:
    """The most that a call is likely to use: all that is sent, and the longest answer."""
    sent = _size(request.system)
    for message in request.messages:
        sent += _size(message.content)
        for call in message.tool_calls:
            sent += _size(call.name) + _size(call.arguments)
    if request.tools or request.schema is not None:
        sent += sum(map(_size, _forms(request)))
    return Usage(math.ceil(sent / CHARACTERS), request.max_tokens or MAX_TOKENS)


def _forms(request: ModelRequest) -> Iterator[str]:
    for tool in request.tools:
        yield tool.name
        yield tool.description
        yield json.dumps(dict(tool.parameters))
    if request.schema is not None:
        yield json.dumps(dict(request.schema))


def _size(text: str) -> int:
    """Characters; those of most other scripts count twice or three times, as in tokens."""
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


class Payer(NamedTuple):
    """Who pays for a call. `own`: the place in the flow has a budget of its own."""

    agent: str
    step: str
    own: bool = False


@dataclass(slots=True)
class _Account:
    """Spent and reserved; a cost of None is not known."""

    tokens: int = 0
    cost: Decimal | None = NOTHING
    reserved_tokens: int = 0
    reserved_cost: Decimal = NOTHING
    waiting: list[asyncio.Future[None]] = field(default_factory=list)

    async def change(self) -> None:
        """Until a reservation was closed."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(future)
        await future

    def wake(self) -> None:
        """A reservation was closed."""
        for future in self.waiting:
            if not future.done():
                future.set_result(None)
        self.waiting.clear()

    def charge(self, tokens: int, cost: Decimal | None) -> None:
        """So much was used."""
        self.tokens += tokens
        if cost is not NOTHING:
            self.cost = added(self.cost, cost)


class Reservation:
    """The share of a budget that one call holds until it is settled or has failed.

    `waited` is how many seconds it took to get it.
    """

    __slots__ = ("_accounts", "_held", "_model", "_open", "_prices", "_wanted", "waited")

    def __init__(
        self,
        prices: Prices,
        accounts: tuple[_Account, _Account],
        model: tuple[str, str],
        wanted: Usage,
        held: tuple[int, Decimal],
        waited: float,
    ) -> None:
        self._prices = prices
        self._accounts = accounts
        self._model = model
        self._wanted = wanted
        self._held = held
        self._open = True
        self.waited = waited
        for account in accounts:
            account.reserved_tokens += held[0]
            account.reserved_cost += held[1]

    def settle(self, reply: ModelReply) -> None:
        """The call was answered: charge what the provider reports, else an estimate."""
        usage = reply.usage
        if not (usage.input_tokens or usage.output_tokens):
            usage = Usage(self._wanted.input_tokens, math.ceil(_size(reply.text) / CHARACTERS))
        self._close(usage, reply.model)

    def failed(self, error: BaseException) -> None:
        """There is no answer. What was sent is charged if the call was given up under way."""
        is_given_up = isinstance(error, ModelTimeout | asyncio.CancelledError)
        self._close(Usage(self._wanted.input_tokens if is_given_up else 0), "")

    def _close(self, used: Usage, answered: str) -> None:
        if self._open:
            self._open = False
            provider, model = self._model
            cost = self._prices.cost(provider, (answered, model), used)
            tokens, (held_tokens, held_cost) = used.input_tokens + used.output_tokens, self._held
            for account in self._accounts:
                account.charge(tokens, cost)
                account.reserved_tokens -= held_tokens
                account.reserved_cost -= held_cost
                if account.waiting:
                    account.wake()


class Ledger:
    """What the agents with budgets have spent and reserved in one run. For one event loop."""

    __slots__ = ("_accounts", "_clock", "prices")

    def __init__(self, prices: Prices, clock: Clock = time.monotonic) -> None:
        self.prices = prices
        self._clock = clock
        self._accounts: dict[tuple[str, str], _Account] = {}

    def spent(self, agent: str) -> tuple[int, float | None]:
        """Tokens and US dollars that the agent has used up so far; None: not known."""
        account = self._account("agent", agent)
        return account.tokens, dollars(account.cost)

    def spent_before(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Count what an earlier attempt's records (`agent`, `name`, `usage`) say was spent."""
        for record in records:
            usage, agent = record.get("usage"), record.get("agent")
            if usage is None or agent is None:
                continue
            step = str(record.get("name", "")).partition(":")[2].rpartition("#")[0]
            cost = usage.get("cost_usd")
            tokens = usage["input_tokens"] + usage["output_tokens"]
            known = exact(cost) if cost is not None else None if tokens else NOTHING
            for account in self._both(Payer(agent, step)):
                account.charge(tokens, known)

    async def reserve(
        self, payer: Payer, budget: Budget, provider: str, model: str, wanted: Usage
    ) -> Reservation:
        """Hold a share for one call; to be settled, or failed, whatever becomes of it.

        Waits where only the reservations of other calls, which may come back, stand in
        the way. Raises BudgetExceeded where what is spent does, and PriceUnknown for a
        budget in dollars on a model whose price is not known.
        """
        cost = self.prices.cost(provider, (model,), wanted)
        tokens = wanted.input_tokens + wanted.output_tokens
        accounts = self._both(payer)
        account = accounts[payer.own]
        if budget.cost_usd is not None and (cost is None or account.cost is None):
            raise PriceUnknown(payer.agent, model=model)
        held, waited = cost or NOTHING, 0.0
        if not self._fits(payer, account, budget, tokens, held):
            began = self._clock()
            await account.change()
            while not self._fits(payer, account, budget, tokens, held):
                await account.change()
            waited = self._clock() - began
        model_ = (provider, model)
        return Reservation(self.prices, accounts, model_, wanted, (tokens, held), waited)

    def _fits(
        self, payer: Payer, account: _Account, budget: Budget, tokens: int, cost: Decimal
    ) -> bool:
        """Whether the call fits in now; False: it may later. Raises BudgetExceeded."""
        fits = True
        if budget.tokens is not None:
            if account.tokens + tokens > budget.tokens:
                raise BudgetExceeded(
                    payer.agent,
                    unit="tokens",
                    budget=budget.tokens,
                    spent=account.tokens,
                    wanted=tokens,
                )
            fits = account.tokens + account.reserved_tokens + tokens <= budget.tokens
        if budget.cost_usd is not None:
            spent, ceiling = account.cost or NOTHING, exact(budget.cost_usd)
            if spent + cost > ceiling:
                raise BudgetExceeded(
                    payer.agent,
                    unit="USD",
                    budget=budget.cost_usd,
                    spent=dollars(spent) or 0.0,
                    wanted=dollars(cost) or 0.0,
                )
            fits = fits and spent + account.reserved_cost + cost <= ceiling
        return fits

    def _both(self, payer: Payer) -> tuple[_Account, _Account]:
        """The agent's account, and that of the place in the flow."""
        return self._account("agent", payer.agent), self._account("step", payer.step)

    def _account(self, kind: str, name: str) -> _Account:
        account = self._accounts.get((kind, name))
        if account is None:
            account = self._accounts[kind, name] = _Account()
        return account
