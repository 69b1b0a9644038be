"""Interleaved rounds: every round visits every candidate, so noise falls on all alike."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .process import Cost


def _nothing() -> None:
    """No preparation."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing to measure: `prepare` is not timed, `run` tells its own cost."""

    name: str
    run: Callable[[], Cost]
    prepare: Callable[[], None] = _nothing


@dataclass(slots=True)
class Samples:
    """The costs of each candidate, one a round, in the order of the rounds."""

    costs: dict[str, list[Cost]] = field(default_factory=dict)

    def add(self, name: str, cost: Cost) -> None:
        self.costs.setdefault(name, []).append(cost)

    def has(self, *names: str) -> bool:
        """Whether every one of `names` was measured."""
        return all(name in self.costs for name in names)

    def median(self, name: str) -> Cost:
        """The middle of each quantity by itself."""
        costs = self.costs[name]
        return Cost(
            statistics.median(cost.cpu for cost in costs),
            statistics.median(cost.wall for cost in costs),
            statistics.median(cost.rss for cost in costs),
        )

    def ratios(self, name: str, base: str, quantity: str = "cpu") -> list[float]:
        """`name` ÷ `base` within each round; both saw the machine in the same state."""
        pairs = zip(self.costs[name], self.costs[base], strict=True)
        return [getattr(one, quantity) / getattr(two, quantity) for one, two in pairs]


def interleave(candidates: Sequence[Candidate], rounds: int) -> Samples:
    """Measure all candidates `rounds` times after a warm-up round that is thrown away.

    Every second round goes backwards, so that nobody always follows the same neighbour.
    """
    samples = Samples()
    for number in range(rounds + 1):
        for candidate in candidates if number % 2 else reversed(candidates):
            _tell(f"round {number} of {rounds}: {candidate.name}")
            candidate.prepare()
            cost = candidate.run()
            if number:
                samples.add(candidate.name, cost)
    _tell("")
    return samples


def _tell(text: str) -> None:
    """Progress on one line of a terminal; nothing in a log."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
