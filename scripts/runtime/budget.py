"""What an agent may use up in one run, and what it has."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
    return Usage(_tokens(sent), request.max_tokens or MAX_TOKENS)


def _tokens(characters: int) -> int:
    return -(-characters // CHARACTERS)


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


class _Account:
    """Spent and reserved; a cost of None is not known."""

    __slots__ = ("cost", "reserved_cost", "reserved_tokens", "tokens", "waiting")

    def __init__(self) -> None:
        self.tokens = 0
        self.cost: Decimal | None = NOTHING
        self.reserved_tokens = 0
        self.reserved_cost = NOTHING
        self.waiting: list[asyncio.Future[None]] | None = None

    async def change(self) -> None:
        """Until a reservation was closed."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.waiting is None:
            self.waiting = []
        self.waiting.append(future)
        await future

    def wake(self) -> None:
        """A reservation was closed."""
        for future in self.waiting or ():
            if not future.done():
                future.set_result(None)
        self.waiting = None

    def charge(self, tokens: int, cost: Decimal | None) -> None:
        """So much was used."""
        self.tokens += tokens
        if cost is not NOTHING:
            self.cost = added(self.cost, cost)


class Reservation:
    """The share of a budget that one call holds until it is settled or has failed.

    `waited` is how many seconds it took to get it.
    """

    __slots__ = ("_accounts", "_cost", "_model", "_open", "_prices", "_sent", "_tokens", "waited")

    def __init__(
        self,
        prices: Prices,
        accounts: Sequence[_Account],
        model: tuple[str, str],
        wanted: Usage,
        cost: Decimal,
        waited: float,
    ) -> None:
        self._prices = prices
        self._accounts = accounts
        self._model = model
        self._sent = wanted.input_tokens
        self._tokens = tokens = wanted.input_tokens + wanted.output_tokens
        self._cost = cost
        self._open = True
        self.waited = waited
        for account in accounts:
            account.reserved_tokens += tokens
            if cost is not NOTHING:
                account.reserved_cost += cost

    def settle(self, reply: ModelReply) -> None:
        """The call was answered: charge what the provider reports, else an estimate."""
        usage = reply.usage
        if not (usage.input_tokens or usage.output_tokens):
            usage = Usage(self._sent, _tokens(_size(reply.text)))
        self._close(usage, reply.model)

    def failed(self, error: BaseException) -> None:
        """There is no answer. What was sent is charged if the call was given up under way."""
        is_given_up = isinstance(error, ModelTimeout | asyncio.CancelledError)
        self._close(Usage(self._sent if is_given_up else 0), "")

    def _close(self, used: Usage, answered: str) -> None:
        if self._open:
            self._open = False
            provider, model = self._model
            cost = self._prices.cost(provider, (answered, model), used)
            tokens = used.input_tokens + used.output_tokens
            for account in self._accounts:
                account.charge(tokens, cost)
                account.reserved_tokens -= self._tokens
                if self._cost is not NOTHING:
                    account.reserved_cost -= self._cost
                if account.waiting is not None:
                    account.wake()


class Ledger:
    """What the agents with budgets have spent and reserved in one run. For one event loop."""

    __slots__ = ("_agents", "_clock", "_steps", "prices")

    def __init__(self, prices: Prices, clock: Clock = time.monotonic) -> None:
        self.prices = prices
        self._clock = clock
        self._agents: dict[str, _Account] = {}
        self._steps: dict[str, _Account] = {}

    def spent(self, agent: str) -> tuple[int, float | None]:
        """Tokens and US dollars that the agent has used up so far; None: not known."""
        account = _account(self._agents, agent)
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
            _account(self._agents, agent).charge(tokens, known)
            _account(self._steps, step).charge(tokens, known)

    async def reserve(
        self, payer: Payer, budget: Budget, provider: str, model: str, wanted: Usage
    ) -> Reservation:
        """Hold a share for one call; to be settled, or failed, whatever becomes of it.

        Waits where only the reservations of other calls, which may come back, stand in
        the way. Raises BudgetExceeded where what is spent does, and PriceUnknown for a
        budget in dollars on a model whose price is not known.
        """
        accounts = self._of(payer)
        account = accounts[-1]
        cost = self.prices.cost(provider, (model,), wanted)
        if budget.cost_usd is not None and (cost is None or account.cost is None):
            raise PriceUnknown(payer.agent, model=model)
        held, waited = cost or NOTHING, 0.0
        tokens = wanted.input_tokens + wanted.output_tokens
        if not self._fits(payer, account, budget, tokens, held):
            began = self._clock()
            await account.change()
            while not self._fits(payer, account, budget, tokens, held):
                await account.change()
            waited = self._clock() - began
        return Reservation(self.prices, accounts, (provider, model), wanted, held, waited)

    def _of(self, payer: Payer) -> tuple[_Account, ...]:
        """The accounts that are charged; the last one is that which has to suffice."""
        agent = _account(self._agents, payer.agent)
        return (agent, _account(self._steps, payer.step)) if payer.own else (agent,)

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


def _account(accounts: dict[str, _Account], name: str) -> _Account:
    account = accounts.get(name)
    if account is None:
        account = accounts[name] = _Account()
    return account
