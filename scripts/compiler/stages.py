"""The stages of a run and their times: progress on a terminal, a list with --verbose."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from time import perf_counter

from .diagnostics import one_line


class Stages:
    """Tells stderr what is being done. `started` is the run's beginning, by perf_counter."""

    def __init__(self, started: float, *, verbose: bool) -> None:
        self._started = started
        self._since = started
        self._verbose = verbose
        self._name = "starting"
        self._live = sys.stderr.isatty() and not verbose

    @property
    def seconds(self) -> float:
        """The time since the run began."""
        return perf_counter() - self._started

    def tell(self, reasons: Iterable[str]) -> None:
        """Say, with --verbose, why the sources were taken for what they are."""
        for reason in reasons if self._verbose else ():
            sys.stderr.write(f"form      {one_line(reason)}\n")

    def enter(self, name: str) -> None:
        """Begin the stage `name`; the one before is over."""
        self.leave()
        self._name = name
        if self._live:
            sys.stderr.write(f"{name} …")
            sys.stderr.flush()

    def leave(self) -> None:
        """End the current stage."""
        now = perf_counter()
        if self._verbose and self._name:
            sys.stderr.write(f"{self._name:<9} {(now - self._since) * 1000:7.1f} ms\n")
        elif self._live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        self._since, self._name = now, ""
