"""Runs: started, followed, continued, cancelled, answered from their event logs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .answer import PAID
from .clock import uuid7
from .context import FlowContext
from .continuing import Course, check_changed, course, reads_documents
from .errors import BMADError, Conflict, NotFound, RunError, RunTimeout
from .events import EventLog
from .flow import AnyFlow, Flow
from .keeping import Keeping
from .node import AgentNode
from .rework import Rework
from .run import Run, RunRequest
from .runner import OURS, MemoryRunner, Record, StepBlocked
from .services import Services
from .spec import story_document
from .stores.runs import DONE, Kept, Line, MemoryRuns, RunRecord, RunStore, run_line
from .waiting import within

__all__ = ["Executor", "Run", "RunRequest"]

_log = logging.getLogger(__name__)


class Executor:
    """Runs flows on one set of services, and remembers the runs that can go on."""

    def __init__(
        self,
        services: Services,
        flows: Mapping[str, Flow],
        agents: Sequence[type[AgentNode]] = (),
        runs: RunStore | None = None,
        sources: Mapping[str, str] | None = None,
    ) -> None:
        """`runs` keeps what did not succeed, `sources` are what the flows were made of."""
        self.services = services
        self.flows = flows
        self.agents = {agent.id: agent for agent in agents}
        self.draining = False
        self.last_execution: dict[str, float] = {}
        self._runs: RunStore = runs or MemoryRuns()
        self._sources = sources or {}
        self._running: dict[str, Run] = {}
        self._readers: dict[str, bool] = {}
        saved = services.settings.documents.save_outputs
        self._keeping = None if services.documents is None else Keeping(saved)

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

        Raises NotFound for an unknown flow or agent, InvalidName for a story's id that is too
        long for the names of its documents and for a misspelt one in `changed`, Conflict for a
        twin that is running (`run_in_progress`), while the service stops (`draining`) or for a
        decision that nobody waits for (`no_pending_gate`), SourcesChanged, DecisionError and
        StoreError.
        """
        if self.draining:
            raise Conflict("the service is stopping", what="service", code="draining", status=503)
        flow, graph = self._graph(request)
        if request.changed:
            check_changed(request, graph)
        if self._keeping is not None:
            self._keeping.check(request, graph)
        identity = request.identity
        if identity in self._running:
            raise Conflict(
                f"this run is already going on as {self._running[identity].run_id}",
                what=self._running[identity].run_id,
                code="run_in_progress",
            )
        record = self._runs.claim(identity)
        try:
            way = course(request, record.kept, self._sources, lambda: self._runs.finished(identity))
        except BaseException:
            record.release()
            raise
        lines = way.lines(lambda: self._first_line(request), time.time(), self._sources)
        sources = self._sources if flow is not None and self._reads(flow.name, graph) else None
        run = _attempt(request, identity, record, way, lines, sources)
        self._running[identity] = run
        run.log.append("run.started", None, _started(request, way, run))
        run.task = asyncio.get_running_loop().create_task(self._execute(run, flow, graph))
        run.task.add_done_callback(lambda _: self._ended(run))
        # Behind the task: a run that ends without waiting leaves nothing to be written.
        record.begin(lines, run.stop, afresh=way.kept is None)
        return run

    def _graph(self, request: RunRequest) -> tuple[Flow | None, AnyFlow]:
        if request.agent is not None:
            agent = self.agents.get(request.agent)
            if agent is None:
                raise NotFound("agent", request.agent, self.agents)
            return None, AnyFlow(start=agent())
        flow = self.flows.get(request.flow)
        if flow is None:
            raise NotFound("flow", request.flow, self.flows)
        return flow, flow.build()

    def _first_line(self, request: RunRequest) -> Line:
        names = {"flow": request.flow, "agent": request.agent, "story_id": request.story_id}
        return run_line(uuid7(), time.time(), self._sources, **names)

    def _reads(self, flow: str, graph: AnyFlow) -> bool:
        """Whether the flow has steps that changed documents could make run again."""
        if flow not in self._readers:
            self._readers[flow] = reads_documents(graph)
        return self._readers[flow]

    def _context(self, run: Run, flow: Flow | None) -> FlowContext:
        request = run.request
        command = request.command or ""
        shows: tuple[str, ...] = ()
        if request.agent is not None and command:
            command, shows = self.agents[request.agent].errand(command)
        return FlowContext(
            input=request.input,
            story_id=request.story_id,
            run_id=run.run_id,
            services=self.services,
            runner=MemoryRunner(run.log, _records(run), run.decision, run.keep),
            inputs=request.inputs,
            on_missing_doc=flow.on_missing_doc if flow else None,
            command=command,
            shows=shows,
            rework=run.rework,
        )

    async def _execute(self, run: Run, flow: Flow | None, graph: AnyFlow) -> None:
        context = self._context(run, flow)
        context.ledger.spent_before(e.data for e in run.log.events if e.type in PAID)
        try:
            await self._bounded(run, context, graph)
        except StepBlocked as blocked:
            story_id = run.request.story_id
            missing = [story_document(story_id, name) for name in blocked.documents]
            gates = [each.json() for each in blocked.questions]
            run.end("run.pending", {"pending_docs": missing, "pending_gates": gates})
        except BMADError as error:
            run.fail(error)
        except asyncio.CancelledError:
            run.end_cancelled()
        except Exception:  # noqa: BLE001 - ours: the log gets all of it, the client nothing
            facts = {"run_id": run.run_id, "story_id": run.request.story_id}
            _log.exception("run failed", extra={"facts": facts})
            run.fail(RunError(OURS))
        else:
            run.end("run.completed", {})
        self._ended(run)  # before anyone who hears of it can ask for the same again

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
            author = {"kind": "client", "run_id": context.run_id}
            if request.caller:
                author["client"] = request.caller
            for name, text in request.documents.items():
                await store.put(story_document(request.story_id, name), text, author=author)

    def _ended(self, run: Run) -> None:
        if self._running.get(run.identity) is not run:
            return
        if not run.ended:  # cancelled before it could take its first step
            run.end_cancelled()
        del self._running[run.identity]
        for event in run.events():
            if event.type == "step.completed" and "agent" in event.data:
                self.last_execution[event.data["agent"]] = event.time

    def close(self) -> None:
        """Let go of the files of runs."""
        self._runs.close()

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


def _attempt(
    request: RunRequest,
    identity: str,
    record: RunRecord,
    way: Course,
    lines: Sequence[Line],
    sources: Mapping[str, str] | None,
) -> Run:
    """The run, with what is kept of it in its log; `lines` are the first of this attempt."""
    kept = way.kept or Kept()
    for line in lines:
        kept.apply(line)
    log = EventLog(kept.run_id, kept.events, kept.seq)
    rework = Rework.of(kept)
    return Run(log, request, identity, record, way.decision, rework=rework, sources=sources)


def _started(request: RunRequest, way: Course, run: Run) -> dict[str, Any]:
    """The first event: with changed documents also whose steps can be reused, null for none."""
    facts: dict[str, Any] = {"flow": request.flow, "story_id": request.story_id}
    if run.rework is not None:
        before = way.kept or way.reused
        facts["changed"] = list(run.rework.changed)
        facts["reused_from"] = before.run_id if before and before.steps else None
    return facts


def _records(run: Run) -> Mapping[str, Record]:
    """The records of all steps that are done, by their ticket's name."""
    if run.rework is not None:
        return run.rework.records
    return {e.data["name"]: dict(e.data) for e in run.log.events if e.type == DONE}
