"""The way from a step to a provider: its limits, its state, and a fair place in the process."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Protocol

from .breaker import Breaker
from .errors import ModelError
from .fairness import Clock, FairPlaces
from .models.protocol import ModelReply
from .rates import Lease, Rates

# Told after each wait of a call: why (`breaker`, `rate_limit`, `concurrency`) and how many seconds.
Queued = Callable[[str, float], Awaitable[None]]


class Limits(Protocol):
    """What a provider's account allows in a minute; None is no limit."""

    @property
    def requests_per_minute(self) -> int | None: ...

    @property
    def tokens_per_minute(self) -> int | None: ...


class Lane:
    """One provider's calls. `places` are shared with the lanes of all other providers."""

    __slots__ = ("breaker", "places", "rates")

    def __init__(self, places: FairPlaces, breaker: Breaker, rates: Rates | None = None) -> None:
        self.places = places
        self.breaker = breaker
        self.rates = rates

    def enter_now(self) -> bool:
        """Whether a call may be made at once; it is to be ended with `leave`."""
        places = self.places
        if self.rates is None and places.free and self.breaker.closed:
            places.free -= 1
            return True
        return False

    def leave(self, error: BaseException | None = None) -> None:
        """The call that `enter_now` let in was answered, or ended with this error."""
        if error is None:
            if self.breaker.failures or not self.breaker.closed:
                self.breaker.succeeded(is_trial=False)
        elif isinstance(error, ModelError):
            self.breaker.failed(error, is_trial=False)
        self.places.give()

    async def call(
        self,
        run: Hashable,
        estimate: Callable[[], int],
        send: Callable[[], Awaitable[ModelReply]],
        queued: Queued,
    ) -> ModelReply:
        """What `send` returns, once the call may be made.

        `estimate` gives its tokens and is asked only where they are limited. Raises
        ProviderUnavailable while the provider is left alone, and whatever `send` raises.
        """
        lease: Lease | None = None
        is_trial = False
        waits: list[tuple[str, float]] | None = None
        if self.rates is not None or not self.breaker.closed or not self.places.take_now(run):
            waits = []
            lease, is_trial = await self._enter(run, estimate, waits)
        try:
            if waits:
                for reason, seconds in waits:
                    await queued(reason, seconds)
            reply = await send()
        except ModelError as error:
            self.breaker.failed(error, is_trial)
            if lease is not None and error.http_status is not None:
                lease.settle(0)  # refused: no tokens were made
            raise
        except BaseException:
            self.breaker.left(is_trial)
            raise
        else:
            self.breaker.succeeded(is_trial)
            if lease is not None and (used := _tokens(reply)):
                lease.settle(used)
            return reply
        finally:
            self.places.give()

    async def _enter(
        self, run: Hashable, estimate: Callable[[], int], waits: list[tuple[str, float]]
    ) -> tuple[Lease | None, bool]:
        """A place, and leave to use it. The place comes last: nobody waits while holding one."""
        while True:
            _note(waits, "breaker", await self.breaker.ready())
            lease = None
            if self.rates is not None:
                lease, seconds = await self.rates.take(run, estimate())
                _note(waits, "rate_limit", seconds)
            try:
                _note(waits, "concurrency", await self.places.take(run))
            except BaseException:
                _drop(lease)
                raise
            try:
                if not self.breaker.trying:
                    return lease, self.breaker.begin()
            except BaseException:
                self._back_out(lease)
                raise
            self._back_out(lease)

    def _back_out(self, lease: Lease | None) -> None:
        self.places.give()
        _drop(lease)


class Lanes:
    """The lanes of all providers, made as they are needed."""

    __slots__ = ("_clock", "_lanes", "_limits", "places")

    def __init__(
        self,
        max_concurrency: int,
        limits: Mapping[str, Limits] | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        """`limits` is by provider, as models name themselves: openai, anthropic, …"""
        self.places = FairPlaces(max_concurrency, clock)
        self._limits = limits or {}
        self._clock = clock
        self._lanes: dict[str, Lane] = {}

    @property
    def known(self) -> Mapping[str, Lane]:
        """Those that were needed so far, by provider."""
        return self._lanes

    def of(self, provider: str) -> Lane:
        """The provider's lane."""
        return self._lanes.get(provider) or self._add(provider)

    def _add(self, provider: str) -> Lane:
        limits, rates = self._limits.get(provider), None
        if limits is not None:
            rates = Rates(limits.requests_per_minute, limits.tokens_per_minute, self._clock)
        lane = self._lanes[provider] = Lane(self.places, Breaker(provider, self._clock), rates)
        return lane


def _tokens(reply: ModelReply) -> int:
    return reply.usage.input_tokens + reply.usage.output_tokens


def _note(waits: list[tuple[str, float]], reason: str, seconds: float) -> None:
    if seconds > 0:
        waits.append((reason, seconds))


def _drop(lease: Lease | None) -> None:
    if lease is not None:
        lease.drop()
