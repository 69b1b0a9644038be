"""Requests and tokens a minute: what a provider's account allows, kept before it has to refuse."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Hashable
from typing import Final

from .fairness import Clock, Turns

WINDOW: Final = 60.0  # seconds


class Spell:
    """One call in the window: when it began and how many tokens it stands for."""

    __slots__ = ("at", "counts", "tokens")

    def __init__(self, at: float, tokens: int) -> None:
        self.at = at
        self.tokens = tokens
        self.counts = True


class Window:
    """The calls of the last minute. In no minute do more begin, or more tokens, than allowed.

    None means: no limit. A call that wants more tokens than a whole minute has may begin when
    the window is empty. The times given must not go backwards.
    """

    __slots__ = ("_requests", "_spells", "_sum", "_tokens")

    def __init__(self, requests: int | None = None, tokens: int | None = None) -> None:
        self._requests = requests
        self._tokens = tokens
        self._spells: deque[Spell] = deque()
        self._sum = 0

    def wait(self, tokens: int, now: float) -> float:
        """Seconds until a call of so many tokens may begin; 0.0 when it may now."""
        self._forget(now)
        until = now
        if self._requests is not None and len(self._spells) >= self._requests:
            until = self._spells[len(self._spells) - self._requests].at + WINDOW
        if self._tokens is not None:
            until = max(until, self._room(min(tokens, self._tokens), self._tokens, now))
        return until - now

    def _room(self, wanted: int, limit: int, now: float) -> float:
        """When the tokens that count leave room for so many more."""
        left = self._sum
        until = now
        for spell in self._spells:
            if left + wanted <= limit:
                break
            left -= spell.tokens
            until = spell.at + WINDOW
        return until

    def add(self, tokens: int, now: float) -> Spell:
        """Count a call that begins."""
        self._forget(now)
        spell = Spell(now, tokens)
        self._spells.append(spell)
        self._sum += tokens
        return spell

    def settle(self, spell: Spell, tokens: int) -> None:
        """The call has used so many."""
        if spell.counts:
            self._sum += tokens - spell.tokens
            spell.tokens = tokens

    def drop(self, spell: Spell) -> None:
        """The call was not made."""
        if spell.counts:
            spell.counts = False
            self._sum -= spell.tokens
            self._spells.remove(spell)

    def _forget(self, now: float) -> None:
        spells = self._spells
        while spells and spells[0].at + WINDOW <= now:
            spell = spells.popleft()
            spell.counts = False
            self._sum -= spell.tokens


class Lease:
    """Leave to make one call; the caller says afterwards what it came to."""

    __slots__ = ("_rates", "_spell")

    def __init__(self, rates: Rates, spell: Spell) -> None:
        self._rates = rates
        self._spell = spell

    def settle(self, tokens: int) -> None:
        """The call has used so many tokens; without this its estimate stands."""
        self._rates.window.settle(self._spell, tokens)
        self._rates.serve()

    def drop(self) -> None:
        """The call was not made."""
        self._rates.window.drop(self._spell)
        self._rates.serve()


class Rates:
    """One provider's limits. Who must wait is served in turns between runs."""

    __slots__ = ("_clock", "_timer", "_turns", "window")

    def __init__(
        self, requests: int | None, tokens: int | None, clock: Clock = time.monotonic
    ) -> None:
        self.window = Window(requests, tokens)
        self._clock = clock
        self._turns: Turns[Lease] = Turns()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self._turns.waiting

    def take_now(self, tokens: int) -> Lease | None:
        """Leave for a call of about so many tokens, if nobody waits and the minute has room."""
        now = self._clock()
        if self._turns.waiting or self.window.wait(tokens, now) > 0:
            return None
        return Lease(self, self.window.add(tokens, now))

    async def take(self, run: Hashable, tokens: int) -> tuple[Lease, float]:
        """Leave for a call, when there is room and it is the run's turn; the seconds it took."""
        lease = self.take_now(tokens)
        if lease is not None:
            return lease, 0.0
        began = self._clock()
        future = self._turns.join(run, tokens)
        self.serve()
        try:
            return await future, self._clock() - began
        except BaseException:
            if future.done() and not future.cancelled():
                future.result().drop()  # it was ours already
            else:
                self._turns.leave(run, future)
                self.serve()  # the next may want less
            raise

    def serve(self) -> None:
        """Let in whoever may come in now, and wake up again when the next may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._clock()
        while (wanted := self._turns.wanted()) is not None:
            seconds = self.window.wait(wanted, now)
            if seconds > 0:
                self._timer = asyncio.get_running_loop().call_later(seconds, self.serve)
                return
            self._turns.serve(Lease(self, self.window.add(wanted, now)))
