"""Agents, flows and models of the tests, in as few words as they allow."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from typing import Any

from scripts.runtime.clock import now
from scripts.runtime.events import TERMINAL, Event
from scripts.runtime.executor import Executor, Run, RunRequest
from scripts.runtime.flow import AnyFlow, Flow
from scripts.runtime.logs import ROOT
from scripts.runtime.models.protocol import ModelReply, ModelRequest
from scripts.runtime.node import AgentNode
from scripts.runtime.services import Services
from scripts.runtime.settings import Settings
from scripts.runtime.stores.protocol import Entry

Answer = Callable[[ModelRequest], Any]


def agent(id: str, **settings: Any) -> type[AgentNode]:
    """A class as the compiler would write it."""
    body = {"id": id, "prompt": f"You are {id}.", **settings}
    return type(id.title().replace("-", ""), (AgentNode,), body)


class Scripted:
    """A model of the tests' own: answers by step, and a journal of what it was asked.

    An answer is a text, a reply, an exception, a list of these (one a call), or an async function.
    """

    provider = "scripted"
    name = "scripted-1"
    structured = False

    def __init__(self, answers: Mapping[str, Any] | None = None) -> None:
        self.answers = dict(answers or {})
        self.asked: list[ModelRequest] = []
        self.cancelled: list[str] = []

    def steps(self) -> list[str]:
        return [request.step for request in self.asked]

    async def complete(self, request: ModelRequest) -> ModelReply:
        self.asked.append(request)
        answer = self.answers.get(request.step, f"{request.step} says so")
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer):
            try:
                answer = await answer(request)
            except asyncio.CancelledError:
                self.cancelled.append(request.step)
                raise
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, ModelReply) else ModelReply(answer)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[str | ModelReply, None]:
        reply = await self.complete(request)
        for place in range(0, len(reply.text), 3):
            yield reply.text[place : place + 3]
        yield reply

    async def close(self) -> None:
        return


@contextlib.contextmanager
def heard() -> Iterator[None]:
    """Let caplog hear our warnings, whatever services of other tests have configured."""
    logger = logging.getLogger(ROOT)
    level, propagates = logger.level, logger.propagate
    logger.propagate = True
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.propagate = propagates
        logger.setLevel(level)


def chain(*nodes: Any) -> AnyFlow:
    """Nodes one after the other."""
    for one, other in itertools.pairwise(nodes):
        one >> other  # PocketFlow's own word
    return AnyFlow(start=nodes[0])


def executor(
    build: Callable[[], AnyFlow],
    model: Any,
    *,
    on_missing_doc: str | None = None,
    agents: Sequence[type[AgentNode]] = (),
    settings: Mapping[str, Any] | None = None,
    **services: Any,
) -> Executor:
    """An executor of one flow named `default`."""
    found = Services(
        model=model, settings=Settings.model_validate(dict(settings or {})), **services
    )
    flow = Flow("default", build, on_missing_doc=on_missing_doc)
    return Executor(found, {"default": flow}, agents)


def request(**changes: Any) -> RunRequest:
    facts: dict[str, Any] = {"flow": "default", "input": "an idea", "story_id": "S-1"}
    return RunRequest(**{**facts, **changes})


def run_flow(
    build: Callable[[], AnyFlow], model: Any, **options: Any
) -> tuple[dict[str, Any], list[Event]]:
    """The answer and the events of one run."""

    async def main() -> tuple[dict[str, Any], list[Event]]:
        run = executor(build, model, **options).start(request())
        return await run.wait(), list(run.events())

    return asyncio.run(main())


async def until(run: Run, wanted: str, step: str | None = None) -> Event:
    """The first event of that type (and step), when it comes."""
    async for batch in run.log.follow(run.since):
        for event in batch:
            if event.type == wanted and step in (None, event.step):
                return event
            assert event.type not in TERMINAL, f"the run ended before {wanted}: {event}"
    raise AssertionError("the log ended without a last event")


class Remembering:
    """A memory store that is a dict, for what steps read and write."""

    backend = "dict"

    def __init__(self, values: dict[str, dict[str, Any]] | None = None) -> None:
        self.values = values or {}
        self.seq = 0

    async def entries(self, scope: str) -> list[Entry]:
        found = self.values.get(scope, {})
        return [Entry(key, value, scope, now(), 1) for key, value in reversed(found.items())]

    async def get(self, scope: str, key: str) -> Entry | None:
        raise NotImplementedError

    async def history(self, scope: str, key: str) -> list[Entry]:
        raise NotImplementedError

    async def put(self, scope: str, key: str, value: Any, *, category: str | None = None) -> Entry:
        self.values.setdefault(scope, {}).pop(key, None)
        self.values[scope][key] = value
        self.seq += 1
        return Entry(key, value, scope, now(), self.seq, "set", category)

    async def delete(self, scope: str, key: str) -> bool:
        raise NotImplementedError

    async def scopes(self) -> list[str]:
        raise NotImplementedError

    async def dump(self, scope: str) -> tuple[int, list[Entry]]:
        raise NotImplementedError

    async def load(self, scope: str, entries: Sequence[Entry]) -> None:
        raise NotImplementedError

    async def check(self) -> None:
        return

    async def close(self) -> None:
        return
