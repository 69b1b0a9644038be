"""A provider that is down is left alone for a while instead of being asked again and again."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from .errors import ModelError, ModelTimeout, ProviderUnavailable, RateLimitError
from .fairness import Clock

FAILURES: Final = 5  # in a row
PAUSE: Final = 30.0  # seconds


def at_fault(error: ModelError) -> bool:
    """Whether the provider failed: no answer, half of one or a 5xx.

    Anything else, a refusal or 429 too, shows that it is there.
    """
    if isinstance(error, ModelTimeout):
        return True
    if isinstance(error, RateLimitError):
        return False
    if error.http_status is not None:
        return error.http_status >= 500
    return error.retryable


class Breaker:
    """Opens after `FAILURES` in a row; after `PAUSE` one call tries whether it may close.

    Each call is begun with `begin` and ended with one of `succeeded`, `failed` and `left`,
    which take what `begin` returned. What began before it opened has no say while it is open.
    """

    __slots__ = ("_clock", "_since", "_trial", "closed", "failures", "provider")

    def __init__(self, provider: str, clock: Clock = time.monotonic) -> None:
        self.provider = provider
        self.closed = True
        self._clock = clock
        self.failures = 0
        self._since = 0.0
        self._trial: asyncio.Event | None = None

    @property
    def trying(self) -> bool:
        """Whether the one trial is going on."""
        return self._trial is not None

    async def ready(self) -> float:
        """Wait until no trial is going on; the seconds it took. Raises ProviderUnavailable."""
        if self.closed:
            return 0.0
        began = self._clock()
        while self._trial is not None:
            await self._trial.wait()
        waited = self._clock() - began
        self._check()
        return waited

    def begin(self) -> bool:
        """Whether the call is the trial. Raises ProviderUnavailable."""
        if self.closed:
            return False
        self._check()
        if self._trial is not None:
            raise self._unavailable(PAUSE)
        self._trial = asyncio.Event()
        return True

    def succeeded(self, is_trial: bool) -> None:
        """The provider has answered."""
        if self.closed:
            self.failures = 0
        elif is_trial:
            self.closed = True
            self.failures = 0
            self._decided()

    def failed(self, error: ModelError, is_trial: bool) -> None:
        """The call ended with this error."""
        if not at_fault(error):
            self.succeeded(is_trial)
            return
        if self.closed:
            self.failures += 1
            if self.failures >= FAILURES:
                self._open()
        elif is_trial:
            self._open()
            self._decided()

    def left(self, is_trial: bool) -> None:
        """The call was given up: nothing is known, the next may try."""
        if is_trial:
            self._decided()

    def _open(self) -> None:
        self.closed = False
        self._since = self._clock()

    def _decided(self) -> None:
        if self._trial is not None:
            self._trial.set()
            self._trial = None

    def _check(self) -> None:
        seconds = 0.0 if self.closed else self._since + PAUSE - self._clock()
        if seconds > 0:
            raise self._unavailable(seconds)

    def _unavailable(self, seconds: float) -> ProviderUnavailable:
        return ProviderUnavailable(
            f"{self.provider} failed {FAILURES} times in a row; "
            f"it is asked again in {max(1, round(seconds))} s",
            provider=self.provider,
            retry_after=seconds,
        )
