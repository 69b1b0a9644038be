"""What an answer costs in US dollars. Offline: the price list is the installed package's."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final, Protocol

from .models.protocol import Usage

NOTHING: Final = Decimal(0)
_MILLION: Final = Decimal(1_000_000)
_DIGITS: Final = 9  # a cached token of the cheapest models costs a few billionths of a dollar
_LISTED: Final = frozenset({"openai", "anthropic", "google"})
_MAX_UNKNOWN: Final = 1000

_log = logging.getLogger(__name__)


class Price(Protocol):
    """US dollars for a million tokens; `cached` None costs as much as `input`."""

    @property
    def input(self) -> float: ...

    @property
    def output(self) -> float: ...

    @property
    def cached(self) -> float | None: ...


class Prices:
    """The price list, with the settings' own prices over it.

    A server that speaks OpenAI's API is looked up by its address: a model's name says
    nothing about who runs it. The mock is free unless the settings give it a price.
    """

    def __init__(
        self, overrides: Mapping[str, Price] | None = None, base_url: str | None = None
    ) -> None:
        """`overrides` is by a model's name, or by `provider:name`."""
        self._overrides = dict(overrides or {})
        self._base_url = base_url
        self._unknown: set[tuple[str, ...]] = set()

    def load(self) -> None:
        """Read the list now: the first look-up takes about a third of a second otherwise."""
        _listed("openai", None, "gpt-5", Usage())

    def cost(self, provider: str, models: Iterable[str], usage: Usage) -> Decimal | None:
        """The price of `usage`, whose input tokens include the cached ones; None: not known.

        `models` are the names that one model goes by: what the provider says, what was asked for.
        """
        if provider == "mock" and not self._overrides:
            return NOTHING
        names = [name.removeprefix(f"{provider}:") for name in models if name]
        for name in names:
            price = self._overrides.get(name) or self._overrides.get(f"{provider}:{name}")
            if price is not None:
                return _cost(price, usage)
        if provider == "mock":
            return NOTHING
        if not names or (provider, *names) in self._unknown:
            return None
        for name in names:
            cost = self._look_up(provider, name.removeprefix("models/"), usage)
            if cost is not None:
                return cost
        self._warn(provider, names)
        return None

    def _look_up(self, provider: str, model: str, usage: Usage) -> Decimal | None:
        if provider in _LISTED:
            return _listed(provider, None, model, usage)
        if provider == "openai-compatible" and self._base_url is not None:
            return _listed(None, self._base_url, model, usage)
        return None

    def _warn(self, provider: str, names: list[str]) -> None:
        """Once for each model."""
        if len(self._unknown) < _MAX_UNKNOWN:
            self._unknown.add((provider, *names))
            facts = {"provider": provider, "model": names[0][:200]}
            _log.warning("the model's price is not known", extra={"facts": facts})


def _cost(price: Price, usage: Usage) -> Decimal:
    cached = min(usage.cached_tokens, usage.input_tokens)
    rate = price.input if price.cached is None else price.cached
    total = (usage.input_tokens - cached) * exact(price.input)
    total += cached * exact(rate) + usage.output_tokens * exact(price.output)
    return total / _MILLION


def _listed(provider: str | None, url: str | None, model: str, usage: Usage) -> Decimal | None:
    """The list's price; None when it has none, or is not installed."""
    try:
        # Imported here: it is large, and the mock needs none of it.
        from genai_prices import Usage as Tokens
        from genai_prices import calc_price
    except ModuleNotFoundError as error:
        if error.name != "genai_prices":
            raise
        return None
    tokens = Tokens(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=min(usage.cached_tokens, usage.input_tokens),
    )
    try:
        if url is not None:
            return calc_price(tokens, model, provider_api_url=url).total_price
        return calc_price(tokens, model, provider_id=provider).total_price
    except (LookupError, ValueError):
        return None


def exact(dollars: float) -> Decimal:
    """The number as it is written: 0.1 is a tenth."""
    return Decimal(str(dollars))


def dollars(cost: Decimal | None) -> float | None:
    """For people and JSON: to a billionth of a dollar."""
    if cost is NOTHING:
        return 0.0
    return None if cost is None else rounded(float(cost))


def rounded(cost: float | None) -> float | None:
    """Dollars to a billionth."""
    return None if cost is None else round(cost, _DIGITS)


def added(first: Decimal | None, second: Decimal | None) -> Decimal | None:
    """Both together; not known when one is not."""
    return None if first is None or second is None else first + second
