"""`Idempotency-Key`: the same request again gets the first final answer again.

Kept in this process only, for the most recent keys; a restart forgets them.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from ..executor import Run
from .problems import Problem

MAX_KEYS: Final = 256
FINAL: Final = frozenset({"run.completed", "run.failed"})
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(slots=True)
class Claim:
    """What is known of a key: the body it came with, and its run once that is final.

    `decided` tells that the decision in the body has been taken.
    """

    digest: bytes
    busy: bool = True
    run: Run | None = None
    decided: bool = False


class Replays:
    """The most recent keys with their runs."""

    def __init__(self, size: int = MAX_KEYS) -> None:
        self._size = size
        self._claims: OrderedDict[tuple[str, str], Claim] = OrderedDict()

    def claim(self, caller: str, key: str, digest: bytes) -> Claim:
        """The key's claim: with a `run` to answer from, else to be settled or dropped.

        Raises Problem 422 for a key that does not fit or came with another body, and
        409 while its first request is still being answered.
        """
        if not _KEY.fullmatch(key):
            raise Problem(
                422, "idempotency_key_invalid", "Idempotency-Key is 1 to 255 visible characters"
            )
        known = self._claims.get((caller, key))
        if known is None:
            known = self._claims[caller, key] = Claim(digest)
            self._forget()
            return known
        if known.digest != digest:
            raise Problem(
                422, "idempotency_key_reused", "this Idempotency-Key came with another body before"
            )
        if known.busy:
            raise Problem(
                409, "idempotency_key_in_use", "the first request with this key is still running"
            )
        self._claims.move_to_end((caller, key))
        known.busy = known.run is None
        return known

    def settle(self, claim: Claim, run: Run) -> None:
        """Its run has ended: kept when that was final, to be continued otherwise."""
        claim.busy = False
        claim.decided = claim.decided or run.decided
        events = run.events()
        if events and events[-1].type in FINAL:
            claim.run = run
            run.log.forget_deltas()

    def drop(self, caller: str, key: str) -> None:
        """The request was refused, so that the key was never used."""
        self._claims.pop((caller, key), None)

    def _forget(self) -> None:
        idle = [name for name, claim in self._claims.items() if not claim.busy]
        for name in idle[: max(0, len(self._claims) - self._size)]:
            del self._claims[name]
