"""Ours: what the service does for a run, without HTTP: nodes as generated, through the executor.

The event log is on, the mock answers at once. With `--full` outputs go to the file stores too;
with `--memory` every agent has a budget and its memory in a file, on one story again and again.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import tempfile
from pathlib import Path
from typing import Any

from pocketflow import AsyncFlow

from scripts.runtime.budget import Budget
from scripts.runtime.executor import Executor, RunRequest
from scripts.runtime.flow import Flow
from scripts.runtime.group import ParallelGroup
from scripts.runtime.models.mock import MockLLM
from scripts.runtime.models.protocol import ModelRequest
from scripts.runtime.node import AgentNode
from scripts.runtime.services import Services
from scripts.runtime.settings import LLMSettings, RunSettings, Settings

from ..shapes import ANSWER, SHAPES, UNEVEN, named, uneven
from .loop import Build, Run, serve

# All members at once, as the others do; the limits themselves stay on.
_UNLIMITED = 10_000
_ENDLESS = 10**9  # tokens: a budget that is counted and never met


def _agent(name: str, waits: tuple[str, ...], budget: Budget | None = None) -> type[AgentNode]:
    """The class that the compiler would write for such an agent."""
    body = {"id": name, "prompt": f"You are {name}. Say what is missing.\n", "budget": budget}
    return type(name.title(), (AgentNode,), {**body, "wait_for_agents": waits})


def _classes(shape: str, budget: Budget | None) -> list[list[type[AgentNode]]]:
    layers, before = [], ()  # type: list[list[type[AgentNode]]], tuple[str, ...]
    for names in named(shape):
        layers.append([_agent(name, before, budget) for name in names])
        before = tuple(names)
    return layers


def _flow(shape: str, layers: list[list[type[AgentNode]]]) -> Flow:
    """Neighbouring layers of several agents are one group, as the compiler makes them."""

    def build() -> Any:
        nodes: list[Any] = []
        members: list[AgentNode] = []
        for layer in [*layers, []]:
            if len(layer) > 1:
                members += [agent() for agent in layer]
                continue
            if members:
                nodes.append(ParallelGroup(*members))
                members = []
            nodes += [agent() for agent in layer]
        for one, following in itertools.pairwise(nodes):
            one >> following
        return AsyncFlow(start=nodes[0])

    return Flow(shape, build)


def _uneven() -> tuple[list[type[AgentNode]], Flow]:
    agents = [_agent(name, waits) for name, (_, waits) in uneven().items()]

    def build() -> Any:
        return AsyncFlow(start=ParallelGroup(*(agent() for agent in agents)))

    return agents, Flow(UNEVEN, build)


def _uneven_model() -> MockLLM:
    seconds = {name: each for name, (each, _) in uneven().items()}

    async def late(request: ModelRequest) -> str:
        await asyncio.sleep(seconds[request.agent])
        return ANSWER

    return MockLLM(late)


def _model(shape: str, delay: float) -> MockLLM:
    if shape == UNEVEN:
        return _uneven_model()
    if not delay:
        return MockLLM(ANSWER)

    async def late(request: ModelRequest) -> str:
        await asyncio.sleep(delay)
        return ANSWER

    return MockLLM(late)


def builder(folder: Path | None, *, documents: bool = True) -> Build:
    """Makes runs; with `folder` their outputs are kept below it, with or without documents."""
    settings = Settings(
        llm=LLMSettings(max_concurrency=_UNLIMITED),
        runs=RunSettings(max_parallel_agents=_UNLIMITED),
        data_dir=folder or Path(),
    )
    # Every run is a story of its own, as a client's would be; or one that goes on and on.
    stories = itertools.count(1) if documents else itertools.repeat(1)
    budget = Budget(tokens=_ENDLESS) if folder is not None and not documents else None
    classes = {shape: _classes(shape, budget) for shape in SHAPES}
    flows = {shape: _flow(shape, classes[shape]) for shape in SHAPES}
    lonely, flows[UNEVEN] = _uneven()

    def build(shape: str, delay: float) -> Run:
        stores = _stores(settings, folder, documents=documents)
        services = Services(_model(shape, delay), settings=settings, **stores)
        layers = [lonely] if shape == UNEVEN else classes[shape]
        agents = [agent for layer in layers for agent in layer]
        executor = Executor(services, flows, agents)

        async def run() -> int:
            request = RunRequest(shape, "An idea.", f"S-{next(stories)}")
            answer = await executor.start(request).wait()
            if answer["status"] != "success":
                raise RuntimeError(f"{shape}: {answer['error']}")
            return len(answer["results"])

        return run

    return build


def _stores(settings: Settings, folder: Path | None, *, documents: bool) -> dict[str, Any]:
    if folder is None:
        return {}
    from scripts.runtime.stores.select import make_documents, make_memory

    memory = make_memory(settings)
    return {"memory": memory, "documents": make_documents(settings) if documents else None}


if __name__ == "__main__":
    if "--full" in sys.argv or "--memory" in sys.argv:
        with tempfile.TemporaryDirectory(prefix="bench-flow-") as name:
            serve(builder(Path(name), documents="--full" in sys.argv))
    else:
        serve(builder(None))
