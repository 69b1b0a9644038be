"""One execution of a flow or of an agent: what was asked for, and its log up to the answer."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from bisect import bisect_right
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from operator import attrgetter
from typing import Any, Literal

from .answer import answer, error_json
from .errors import RETRY_SECONDS, BMADError, ProviderUnavailable, RunError
from .events import Event, EventLog
from .rework import Rework
from .runner import Decision, Record
from .stores.runs import HELD, Done, RunRecord, end_line, step_line

_log = logging.getLogger(__name__)
_seq = attrgetter("seq")

OnChange = Literal["restart", "continue"]


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a client asks for: a flow by name, or one agent (with a command of its) alone.

    `documents` maps names to Markdown; `fresh` starts over even where a run could go on;
    `changed` names documents whose readers shall run again; `on_change` says what becomes of
    a run whose sources have changed since; `caller` is the name of the client's key.
    """

    flow: str
    input: str
    story_id: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    documents: Mapping[str, str] = field(default_factory=dict)
    fresh: bool = False
    agent: str | None = None
    command: str | None = None
    decision: Decision | None = None
    on_change: OnChange | None = None
    changed: Sequence[str] = ()
    tenant: str = ""
    caller: str = ""

    @property
    def identity(self) -> str:
        """A hash; two requests with one identity are the same run."""
        inputs = json.dumps(self.inputs, sort_keys=True) if self.inputs else ""
        names = (self.tenant, self.flow, self.agent or "", self.command or "", self.story_id)
        text = "\0".join((*names, inputs, self.input))  # only the input may hold a NUL
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Run:
    """One attempt. What it finished outlives it in its record, for a later attempt."""

    def __init__(
        self,
        log: EventLog,
        request: RunRequest,
        identity: str,
        record: RunRecord,
        decision: Decision | None = None,
        *,
        rework: Rework | None = None,
        sources: Mapping[str, str] | None = None,
    ) -> None:
        """`log` holds what earlier attempts finished; `decision` is what a gate still waits for.

        `rework` is there when documents have changed since; what a success came to is
        remembered for such a case when `sources`, what the flow is made of, are given.
        """
        self.run_id = log.run_id
        self.request = request
        self.identity = identity
        self.log = log
        self.record = record
        self.decision = decision
        self.rework = rework
        self._sources = sources
        self.since = log.seq
        self.http_status = 200
        self.retry_after = RETRY_SECONDS
        self.task: asyncio.Task[None] | None = None
        self._answer: dict[str, Any] | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self._reason = "the run was cancelled"
        self._fault: BMADError | None = None

    @property
    def ended(self) -> bool:
        return self._answer is not None

    @property
    def decided(self) -> bool:
        """Whether this attempt took the decision that came with its request."""
        return self.decision is not None and any(
            event.type == "step.completed" and event.data["name"].startswith("gate:")
            for event in self.events()
        )

    def events(self) -> Sequence[Event]:
        """This attempt's events so far."""
        return self.log.since(self.since)

    def answer(self) -> dict[str, Any]:
        """The JSON answer. Raises RuntimeError before the end."""
        if self._answer is None:
            raise RuntimeError("the run has not ended")
        return self._answer

    async def wait(self) -> dict[str, Any]:
        """The JSON answer, at the end. Cancelling the waiter leaves the run alone."""
        if self._answer is None:
            over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(over)
            await over
        return self.answer()

    def cancel(self, reason: str = "the run was cancelled") -> None:
        """Stop as soon as possible; finished steps are kept, a last event is sent."""
        if self.task is not None and not self.ended:
            self._reason = reason
            self.task.cancel()

    def stop(self, fault: BMADError) -> None:
        """Stop since what it does can no longer be kept."""
        if self.task is not None and not self.ended:
            self._fault = fault
            self.task.cancel()

    def keep(self, step: str, record: Record) -> Awaitable[None] | None:
        """Keep a finished step, before anyone hears of it. Raises StoreError or Conflict."""
        return self.record.add(step_line(self.log.seq + 1, time.time(), step, record))

    def end(self, type: str, data: Mapping[str, Any], http_status: int = 200) -> None:
        """Keep how it ended, then write the last event, which carries the answer."""
        events, now = self.log.events, time.time()
        since = bisect_right(events, self.since, key=_seq) if self.since else 0
        try:
            if type == "run.completed":
                self.record.succeed(self._done(events, now))
            else:
                self.record.end(end_line(self.log.seq + 1, now, type, data, events[since:]))
        except BMADError as error:
            _log.warning("how a run ended is not kept: %s", error.message)
            if type == "run.pending":  # whoever heard that would wait for what nobody goes on with
                type, data, http_status = "run.failed", {"error": error_json(error)}, error.status
        finally:  # whatever a store does: who follows hears of the end
            self.http_status = http_status
            self._answer = answer(self.run_id, events, type, data, since=since, ended=now)
            self.log.append(type, None, {"answer": self._answer})
            self._tell()

    def _tell(self) -> None:
        """Those who wait for the end."""
        for over in self._waiting:
            if not over.done():
                over.set_result(None)

    def _done(self, events: Sequence[Event], now: float) -> Done | None:
        if self._sources is None:
            return None
        steps = [event for event in events if event.type in HELD]
        return Done(self.run_id, now, self._sources, steps)

    def fail(self, error: BMADError) -> None:
        if isinstance(error, ProviderUnavailable) and error.retry_after is not None:
            self.retry_after = max(1, ceil(error.retry_after))
        self.end("run.failed", {"error": error_json(error)}, error.status)

    def end_cancelled(self) -> None:
        if self._fault is not None:
            self.fail(self._fault)
            return
        error = RunError(self._reason)
        error.code, error.status, error.retryable = "cancelled", 503, True
        self.end("run.cancelled", {"error": error_json(error)}, error.status)
