"""What is counted for /metrics: cheap sums in the process, read by whoever asks.

Requests are counted as they end, memory as it is used; all else is taken from a run's events
when the run ends, so that no step pays for it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from .errors import BMADError
from .events import TERMINAL, Event
from .series import OTHER, Counter, Family, Timer

T = TypeVar("T")

_MODEL: Final = ("provider", "model")
_MAX_NAME: Final = 100  # characters of a model's name, which is whatever the provider says
_TOKENS: Final = tuple((kind, f"{kind}_tokens") for kind in ("input", "output", "cached"))
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


class Metrics:
    """Everything that one process has counted. `tools` are the names that exist.

    For one event loop.
    """

    def __init__(self, tools: Iterable[str] = ()) -> None:
        self._tools = frozenset(tools)
        self.requests = Timer(
            "bmad_http_request_seconds",
            "Requests, from the head to the end of the answer.",
            ("method", "route", "status"),
        )
        self.memory = Timer(
            "bmad_memory_seconds", "Operations on memory.", ("operation", "outcome")
        )
        self.runs = Timer("bmad_run_seconds", "Runs that have ended.", ("flow", "status"))
        self.steps = Timer("bmad_step_seconds", "Finished steps.", ("flow", "step", "agent"))
        self.failures = Counter("bmad_step_failures", "Failed steps.", ("flow", "step", "code"))
        self.skipped = Counter("bmad_steps_skipped", "Steps left out.", ("flow", "step"))
        self.retries = Counter("bmad_step_retries", "Model calls made again.", ("flow", "step"))
        self.tools = Timer("bmad_tool_seconds", "Calls of tools.", ("tool", "status"))
        self.queues = Timer("bmad_queue_seconds", "Waits in a queue of ours.", ("reason",))
        self.answers = Counter("bmad_model_answers", "Answers that were paid for.", _MODEL)
        self.tokens = Counter(
            "bmad_model_tokens", "Tokens; input has the cached ones in it.", (*_MODEL, "kind")
        )
        self.cost = Counter("bmad_model_cost_usd", "US dollars, where a price is known.", _MODEL)
        self.unpriced = Counter(
            "bmad_model_answers_unpriced", "Answers whose price is not known.", _MODEL
        )
        self._counted: Mapping[str, Callable[[str, Event], None]] = {
            "step.completed": self._completed,
            "step.failed": self._failed,
            "step.skipped": self._skipped,
            "step.retrying": self._retried,
            "step.tool": self._tool,
            "step.queued": self._queued,
            **dict.fromkeys(TERMINAL, self._ended),
        }

    def families(self) -> list[Family]:
        """All of it, as it stands."""
        timers = (self.requests, self.runs, self.steps, self.tools, self.queues, self.memory)
        steps = (self.failures, self.skipped, self.retries)
        models = (self.answers, self.tokens, self.cost, self.unpriced)
        return [each.family() for each in (*timers, *steps, *models)]

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request has been answered; 0 is the status of one that was broken off before."""
        self.requests.add((method if method in _METHODS else OTHER, route, str(status)), seconds)

    def run(self, flow: str, events: Iterable[Event]) -> None:
        """A run has ended; `events` are those of this attempt, the last one's answer included."""
        bills: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        for event in events:
            count = self._counted.get(event.type)
            if count is not None:
                count(flow, event)
                if usage := event.data.get("usage"):
                    who = event.data["provider"], event.data["model"][:_MAX_NAME]
                    bills.setdefault(who, []).append(usage)
        for who, usages in bills.items():
            self._paid(who, usages)

    def _ended(self, flow: str, event: Event) -> None:
        status = "cancelled" if event.type == "run.cancelled" else event.data["answer"]["status"]
        self.runs.add((flow, status), event.data["answer"]["duration_ms"] / 1000)

    def _completed(self, flow: str, event: Event) -> None:
        data = event.data
        labels = (flow, str(event.step), data.get("agent", ""))
        self.steps.add(labels, data.get("duration_ms", 0.0) / 1000)

    def _failed(self, flow: str, event: Event) -> None:
        self.failures.add((flow, str(event.step), event.data["error"]["code"]))

    def _paid(self, who: tuple[str, str], usages: Sequence[Mapping[str, Any]]) -> None:
        self.answers.add(who, sum([usage["calls"] for usage in usages]))
        for kind, key in _TOKENS:
            self.tokens.add((*who, kind), sum([usage[key] for usage in usages]))
        unpriced = [usage["calls"] for usage in usages if usage["cost_usd"] is None]
        if unpriced:
            self.unpriced.add(who, sum(unpriced))
        if len(unpriced) < len(usages):
            self.cost.add(who, sum([usage["cost_usd"] or 0 for usage in usages]))

    def _skipped(self, flow: str, event: Event) -> None:
        self.skipped.add((flow, str(event.step)))

    def _retried(self, flow: str, event: Event) -> None:
        self.retries.add((flow, str(event.step)))

    def _tool(self, flow: str, event: Event) -> None:
        name = event.data["tool"]  # whatever the model wrote
        labels = (name if name in self._tools else OTHER, event.data["status"])
        self.tools.add(labels, event.data["duration_ms"] / 1000)

    def _queued(self, flow: str, event: Event) -> None:
        self.queues.add((event.data["reason"],), event.data["waited_ms"] / 1000)

    async def timed(self, operation: str, call: Awaitable[T]) -> T:
        """What the call on memory returns, counted."""
        began = time.perf_counter()
        outcome = "ok"
        try:
            return await call
        except BMADError as error:
            outcome = error.code
            raise
        except BaseException:
            outcome = "broken_off"
            raise
        finally:
            self.memory.add((operation, outcome), time.perf_counter() - began)
