"""Sums and histograms by label values, and how they stand now."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final, NamedTuple

Labels = tuple[str, ...]

MAX_SERIES: Final = 1000  # of one metric; what comes later is counted as OTHER
OTHER: Final = "other"
BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900)


class Histogram:
    """Seconds, sorted into BOUNDS; the last count is of all that took longer."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """One more."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds


class Sample(NamedTuple):
    """A series as it is now: a number, or a histogram's counts (not summed up) and total."""

    labels: Labels
    value: float
    counts: tuple[int, ...] = ()


class Family(NamedTuple):
    """A metric with all its series; `kind` is counter, gauge or histogram."""

    kind: str
    name: str
    help: str
    labels: Labels
    samples: list[Sample]


class Counter:
    """Sums by label values."""

    kind = "counter"

    def __init__(self, name: str, help: str, labels: Labels) -> None:
        self.name = name
        self.help = help
        self.labels = labels
        self.values: dict[Labels, float] = {}

    def add(self, labels: Labels, amount: float = 1) -> None:
        """Count; a series too many is counted as `other`."""
        values = self.values
        if labels not in values and len(values) >= MAX_SERIES:
            labels = (OTHER,) * len(labels)
        values[labels] = values.get(labels, 0) + amount

    def family(self) -> Family:
        """A copy of how it stands."""
        samples = [Sample(labels, value) for labels, value in self.values.items()]
        return Family(self.kind, self.name, self.help, self.labels, samples)


class Timer:
    """Histograms of seconds by label values."""

    kind = "histogram"

    def __init__(self, name: str, help: str, labels: Labels) -> None:
        self.name = name
        self.help = help
        self.labels = labels
        self.values: dict[Labels, Histogram] = {}

    def add(self, labels: Labels, seconds: float) -> None:
        """One more; a series too many is counted as `other`."""
        found = self.values.get(labels)
        if found is None:
            if len(self.values) >= MAX_SERIES:
                labels = (OTHER,) * len(labels)
            found = self.values.setdefault(labels, Histogram())
        found.counts[bisect_left(BOUNDS, seconds)] += 1
        found.total += seconds

    def family(self) -> Family:
        """A copy of how it stands."""
        samples = [
            Sample(labels, found.total, tuple(found.counts))
            for labels, found in self.values.items()
        ]
        return Family(self.kind, self.name, self.help, self.labels, samples)
