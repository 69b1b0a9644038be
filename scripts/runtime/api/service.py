"""What the routes work with: the settings, the flows and agents, and the running executor."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import Request

from .. import manifest
from ..assets import READER, Assets
from ..errors import BMADError
from ..events import TERMINAL, Event
from ..executor import Executor, Run, RunRequest
from ..flow import Flow
from ..logs import run_event, silent_types
from ..metrics import Metrics
from ..models.mock import MockLLM
from ..models.protocol import Model
from ..models.select import make_model
from ..node import AgentNode
from ..nodes import agents_in
from ..recall.indexes import Recall
from ..rehearsal import check_script
from ..services import Services
from ..settings import Settings
from ..stores.counted import counted
from ..stores.folder import Reach
from ..stores.probe import Probe
from ..stores.protocol import DocumentStore, MemoryStore
from ..stores.select import make_documents, make_memory, make_runs
from ..tool import Tool
from ..tracing.select import make_tracing
from .idempotency import Replays

if TYPE_CHECKING:
    from ..tracing.tracing import Tracing

_log = logging.getLogger(__name__)


class Service:
    """One generated tree being served. Closed until `open`, and again after `close`."""

    def __init__(
        self,
        tree: Path,
        settings: Settings,
        agents: Sequence[type[AgentNode]],
        flows: Mapping[str, Flow],
        tools: Sequence[Tool],
    ) -> None:
        self.tree = tree
        self.settings = settings
        self.agents = {agent.id: agent for agent in agents}
        self.flows = flows
        self.tools = {tool.name: tool for tool in tools}
        self.metrics = Metrics(self.tools)
        self.replays = Replays()
        self._reach = Reach(
            settings.data_dir,
            {"memory": settings.memory_dir, "documents": settings.documents_dir},
        )
        self.began = time.monotonic()
        self.started = False
        self._probe: Probe | None = None
        self._services: Services | None = None
        self._executor: Executor | None = None
        self._shared: Mapping[str, list[str]] | None = None
        self._draining: asyncio.Task[None] | None = None

    def open(self, services: Services | None = None) -> None:
        """Make what serves the runs, unless it is given. Raises SettingsError or StoreError."""
        if self._services is not None:
            return
        self._services = services or self._made()
        self._executor = Executor(
            self._services,
            self.flows,
            tuple(self.agents.values()),
            make_runs(self.settings),
            manifest.sources(self.tree),
        )

    def _made(self) -> Services:
        services = Services(
            model=self._model(),
            memory=counted(make_memory(self.settings), self.metrics.timed),
            documents=make_documents(self.settings),
            tools=self.tools,
            assets=Assets(self.tree / "assets"),
            settings=self.settings,
            tracing=make_tracing(self.settings),
        )
        if services.model.provider != "mock":
            services.prices.load()  # now, and not when the first answer is to be charged
        return services

    def _model(self) -> Model:
        model = make_model(self.settings)
        if isinstance(model, MockLLM) and model.rehearsal is not None:
            check_script(model.rehearsal, self.agents.values(), self.flows.values())
        return model

    async def close(self) -> None:
        """End what still runs and give everything back."""
        self.started = False
        if self._executor is not None:
            await self._executor.drain(0)
            self._executor.close()
        if self._probe is not None:
            await self._probe.close()
        if self._services is not None:
            await self._services.close()
        self._services = self._executor = self._probe = None

    @property
    def services(self) -> Services:
        if self._services is None:
            raise BMADError("the service has not been opened")
        return self._services

    @property
    def tracing(self) -> Tracing | None:
        """What draws spans; None when nobody wants them, or the service is not open."""
        return None if self._services is None else self._services.tracing

    @property
    def executor(self) -> Executor:
        if self._executor is None:
            raise BMADError("the service has not been opened")
        return self._executor

    @property
    def memory(self) -> MemoryStore:
        if self.services.memory is None:
            raise BMADError("the service has no memory")
        return self.services.memory

    @property
    def recall(self) -> Recall:
        if self.services.recall is None:
            raise BMADError("the service has no memory")
        return self.services.recall

    def shared_scopes(self, agent_id: str) -> list[str]:
        """The shared memories that an agent uses: its own setting, and those of its places."""
        if self._shared is None:
            found: dict[str, set[str]] = {}
            places = (node for flow in self.flows.values() for node in agents_in(flow.build()))
            uses = {(agent.id, agent.memory_scope) for agent in self.agents.values()}
            uses |= {(place.id, place.memory_scope) for place in places}
            for name, scope in uses:
                if scope != "isolated":
                    found.setdefault(name, set()).add(scope)
            self._shared = {name: sorted(scopes) for name, scopes in found.items()}
        return self._shared.get(agent_id, [])

    @property
    def documents(self) -> DocumentStore:
        if self.services.documents is None:
            raise BMADError("the service has no document store")
        return self.services.documents

    @property
    def unready(self) -> str | None:
        """Why no run can begin; None when one can."""
        if not self.started:
            return "the service is starting"
        return "the service is stopping" if self.executor.draining else None

    async def reason_to_wait(self) -> str | None:
        """Why no run can begin, be it that a store cannot be reached; None when one can."""
        return self.unready or await self._reach.fault() or await self.memory_fault()

    async def memory_fault(self) -> str | None:
        """Why memory cannot be used, as it was within the last seconds; None when it can."""
        if self._probe is None:
            self._probe = Probe(self.memory)
        return await self._probe.fault()

    @property
    def damaged_files(self) -> int:
        """Memory files in which lines were found that are not as they were written."""
        return len(getattr(self.memory, "problems", ()))  # a store may know of no such thing

    def start(self, request: RunRequest) -> Run:
        """A run that has begun, with its events in the log. Raises as Executor.start does."""
        run = self.executor.start(request)
        observe(run, self.metrics)
        if self.tracing is not None:
            self.tracing.follow(run, self.tools.keys() | {READER})
        return run

    async def drain(self) -> None:
        """Take no more runs and let the present ones end, `server.drain_seconds` at most."""
        if self._draining is None:
            _log.info("stopping", extra={"facts": {"active_runs": self.executor.active}})
            seconds = self.settings.server.drain_seconds
            self._draining = asyncio.create_task(self.executor.drain(seconds))
        await self._draining

    def hurry(self) -> None:
        """Someone asked a second time: do not wait for the runs."""
        for run in self.executor.running:
            run.cancel("the service is stopping")


def observe(run: Run, metrics: Metrics) -> None:
    """Write the log lines of a run: the events there are, and each as it comes; count it."""
    request, silent = run.request, silent_types()

    def write(event: Event) -> None:
        if event.type not in silent:
            run_event(event, run_id=run.run_id, story_id=request.story_id)
        if event.type in TERMINAL:
            metrics.run(request.flow or f"agent:{request.agent}", run.events())

    for event in run.events():
        write(event)
    run.log.silent = silent - TERMINAL
    run.log.listeners.append(write)


def service_of(request: Request) -> Service:
    """The service behind the application that got the request."""
    service: Service = request.app.state.service
    return service
