"""The one place where a failed model call is tried again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

from .errors import ModelError

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")

FIRST_WAIT: Final = 0.5  # seconds, doubled at each attempt, with jitter
LONGEST_WAIT: Final = 30.0
MOST_ASKED: Final = 120.0  # that a provider may ask for; beyond it the client is told at once

OnRetry = Callable[[int, float, ModelError], Awaitable[None]]


async def retry(
    call: Callable[[], Awaitable[T]], first: ModelError, *, attempts: int, on_retry: OnRetry
) -> T:
    """The first good answer after `first`, the error of the first of at most `attempts` calls.

    Only a `ModelError` that says it is retryable is tried again, after an
    exponential wait with jitter or as long as the provider asked for, unless
    that is longer than `MOST_ASKED`.
    `on_retry(attempt, wait in seconds, error)` is told before each wait.
    The last error leaves with the number of attempts that were made.
    """
    # Imported here: an answer that comes at once should not pay for tenacity.
    import tenacity

    failed: list[ModelError] = [first]

    async def attempt() -> T:
        if failed:
            raise failed.pop()
        return await call()

    async def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, ModelError):
            await on_retry(state.attempt_number, state.upcoming_sleep, error)

    retrying = tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(attempts),
        wait=_wait,
        retry=tenacity.retry_if_exception(_retryable),
        before_sleep=tell,
        reraise=True,
    )
    try:
        return await retrying(attempt)
    except ModelError as error:
        error.attempts = retrying.statistics["attempt_number"]
        raise


def _retryable(error: BaseException) -> bool:
    if not isinstance(error, ModelError) or not error.retryable:
        return False
    asked = _asked(error)
    return asked is None or asked <= MOST_ASKED


def _asked(error: BaseException | None) -> float | None:
    """Seconds that the provider wants to be left alone."""
    return error.retry_after if isinstance(error, ModelError) else None


def _wait(state: RetryCallState) -> float:
    import tenacity

    error = state.outcome.exception() if state.outcome else None
    asked = _asked(error)
    if asked is not None:
        return max(asked, 0.0)
    return tenacity.wait_exponential_jitter(initial=FIRST_WAIT, max=LONGEST_WAIT)(state)
