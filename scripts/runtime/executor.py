"""Runs: started, followed, continued, cancelled, answered from their event logs."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from .answer import answer, error_json
from .clock import uuid7
from .context import FlowContext
from .errors import BMADError, Conflict, NotFound, RunError, RunTimeout
from .events import Event, EventLog
from .flow import AnyFlow, Flow
from .node import AgentNode
from .runner import Decision, MemoryRunner, Record, StepBlocked
from .services import Services
from .spec import story_document
from .waiting import within

MAX_UNFINISHED: Final = 1000  # runs that can be continued; the oldest are forgotten first

Identity = tuple[str | None, ...]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a client asks for: a flow by name, or one agent (with a command of its) alone.

    `documents` maps names to Markdown; `fresh` starts over even where a run could go on.
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

    @property
    def identity(self) -> Identity:
        """Two requests with one identity are the same run."""
        inputs = json.dumps(self.inputs, sort_keys=True) if self.inputs else ""
        return (self.flow, self.agent, self.command, self.story_id, self.input, inputs)


class Run:
    """One execution. Its log outlives it, so that a later request can go on from there."""

    def __init__(self, run_id: str, request: RunRequest, log: EventLog) -> None:
        self.run_id = run_id
        self.request = request
        self.log = log
        self.since = len(log.events)
        self.http_status = 200
        self.task: asyncio.Task[None] | None = None
        self._answer: dict[str, Any] | None = None
        self._until: int | None = None
        self._reason = "the run was cancelled"

    @property
    def ended(self) -> bool:
        return self._answer is not None

    def events(self) -> Sequence[Event]:
        """This attempt's events so far."""
        return self.log.events[self.since : self._until]

    def answer(self) -> dict[str, Any]:
        """The JSON answer. Raises RuntimeError before the end."""
        if self._answer is None:
            raise RuntimeError("the run has not ended")
        return self._answer

    async def wait(self) -> dict[str, Any]:
        """The JSON answer, at the end. Cancelling the waiter leaves the run alone."""
        if self.task is not None and not self.task.done():
            await asyncio.wait((self.task,))
        return self.answer()

    def cancel(self, reason: str = "the run was cancelled") -> None:
        """Stop as soon as possible; finished steps are kept, a last event is sent."""
        if self.task is not None and not self.ended:
            self._reason = reason
            self.task.cancel()

    def end(self, type: str, data: Mapping[str, Any], http_status: int = 200) -> None:
        """Write the last event, which carries the answer."""
        self.http_status = http_status
        self._answer = answer(
            self.run_id, self.log.events, type, data, since=self.since, ended=time.time()
        )
        self._until = self.log.append(type, None, {"answer": self._answer}).seq

    def fail(self, error: BMADError) -> None:
        self.end("run.failed", {"error": error_json(error)}, error.status)

    def end_cancelled(self) -> None:
        error = RunError(self._reason)
        error.code, error.status = "cancelled", 503
        self.end("run.cancelled", {"error": error_json(error)}, error.status)


class Executor:
    """Runs flows on one set of services, and remembers the runs that can go on."""

    def __init__(
        self,
        services: Services,
        flows: Mapping[str, Flow],
        agents: Sequence[type[AgentNode]] = (),
    ) -> None:
        self.services = services
        self.flows = flows
        self.agents = {agent.id: agent for agent in agents}
        self.draining = False
        self.last_execution: dict[str, float] = {}
        self._running: dict[Identity, Run] = {}
        self._unfinished: OrderedDict[Identity, Run] = OrderedDict()

    @property
    def active(self) -> int:
        """How many runs are going on."""
        return len(self._running)

    @property
    def running(self) -> tuple[Run, ...]:
        """The runs that are going on."""
        return tuple(self._running.values())

    def start(self, request: RunRequest) -> Run:
        """A run that has begun. Must be called on the event loop.

        Raises NotFound for an unknown flow or agent, and Conflict for a twin that
        is running (`run_in_progress`) or while the service stops (`draining`).
        """
        if self.draining:
            raise Conflict("the service is stopping", what="service", code="draining", status=503)
        flow, graph = self._graph(request)
        identity = request.identity
        if identity in self._running:
            raise Conflict(
                f"this run is already going on as {self._running[identity].run_id}",
                what=self._running[identity].run_id,
                code="run_in_progress",
            )
        earlier = self._unfinished.pop(identity, None)
        run = self._begin(request, None if request.fresh else earlier)
        self._running[identity] = run
        run.log.append("run.started", None, {"flow": request.flow, "story_id": request.story_id})
        run.task = asyncio.get_running_loop().create_task(self._execute(run, flow, graph))
        run.task.add_done_callback(lambda _: self._ended(run))
        return run

    def _graph(self, request: RunRequest) -> tuple[Flow | None, AnyFlow]:
        if request.agent is not None:
            agent = self.agents.get(request.agent)
            if agent is None:
                raise NotFound("agent", request.agent)
            return None, AnyFlow(start=agent())
        flow = self.flows.get(request.flow)
        if flow is None:
            raise NotFound("flow", request.flow)
        return flow, flow.build()

    def _begin(self, request: RunRequest, earlier: Run | None) -> Run:
        if earlier is not None:
            return Run(earlier.run_id, request, earlier.log)
        run_id = uuid7()
        return Run(run_id, request, EventLog(run_id))

    def _context(self, run: Run, flow: Flow | None) -> FlowContext:
        request, recorded = run.request, finished_steps(run.log.events)
        command = request.command or ""
        if request.agent is not None and command:
            command = dict(self.agents[request.agent].commands).get(command) or command
        return FlowContext(
            input=request.input,
            story_id=request.story_id,
            services=self.services,
            runner=MemoryRunner(run.log, recorded, request.decision),
            inputs=request.inputs,
            on_missing_doc=flow.on_missing_doc if flow else None,
            command=command,
        )

    async def _execute(self, run: Run, flow: Flow | None, graph: AnyFlow) -> None:
        context = self._context(run, flow)
        try:
            await self._bounded(run, context, graph)
        except StepBlocked as blocked:
            story_id = run.request.story_id
            missing = [story_document(story_id, name) for name in blocked.documents]
            gates = [
                {"gate": each.gate, "question": each.question, "actions": list(each.actions)}
                for each in blocked.questions
            ]
            run.end("run.pending", {"pending_docs": missing, "pending_gates": gates})
        except BMADError as error:
            run.fail(error)
        except asyncio.CancelledError:
            run.end_cancelled()
        except Exception:  # noqa: BLE001 - ours: the client gets no inner text, the log gets all of it
            _log.exception("run failed", extra={"run_id": run.run_id})
            run.fail(RunError("the service failed; its log says more under this run's id"))
        else:
            run.end("run.completed", {})

    async def _bounded(self, run: Run, context: FlowContext, graph: AnyFlow) -> None:
        seconds = self.services.settings.runs.timeout
        try:
            await within(seconds, self._go(run, context, graph))
        except TimeoutError:
            raise RunTimeout(seconds) from None

    async def _go(self, run: Run, context: FlowContext, graph: AnyFlow) -> None:
        if run.request.documents:
            await self._supply(run.request, context)
        await graph.run_async(context)  # type: ignore[arg-type]  # any object may be shared

    async def _supply(self, request: RunRequest, context: FlowContext) -> None:
        """Keep the documents that came with the request, as the story's own."""
        context.documents.update(request.documents)
        store = self.services.documents
        if store is not None:
            for name, text in request.documents.items():
                await store.put(story_document(request.story_id, name), text)

    def _ended(self, run: Run) -> None:
        if not run.ended:  # cancelled before it could take its first step
            run.end_cancelled()
        identity = run.request.identity
        self._running.pop(identity, None)
        for event in run.events():
            if event.type == "step.completed":
                agent_id = str(event.data.get("agent", event.step))
                self.last_execution[agent_id] = event.time
        if run.answer()["status"] != "success":
            self._unfinished[identity] = run
            if len(self._unfinished) > MAX_UNFINISHED:
                self._unfinished.popitem(last=False)

    async def drain(self, seconds: float) -> None:
        """Take no more runs; give the present ones so long, then cancel them."""
        self.draining = True
        tasks = [run.task for run in self.running if run.task is not None]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for run in self.running:
            run.cancel("the service is stopping")
        if late:
            await asyncio.wait(late)


def finished_steps(events: Sequence[Event]) -> dict[str, Record]:
    """The records of all steps that a log says are done, by their ticket's name."""
    return {e.data["name"]: dict(e.data) for e in events if e.type == "step.completed"}
