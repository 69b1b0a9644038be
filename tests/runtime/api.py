"""The service of a small tree, over real HTTP in a thread of the test."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from scripts.runtime.api.app import create_app
from scripts.runtime.api.connection import DrainingServer, make_server
from scripts.runtime.api.service import Service
from scripts.runtime.flow import AnyFlow, Flow
from scripts.runtime.node import AgentNode
from scripts.runtime.services import Services
from scripts.runtime.settings import Settings
from scripts.runtime.stores.documents import FileDocuments
from scripts.runtime.stores.memory import FileMemory
from scripts.runtime.tool import Tool
from scripts.runtime.tracing.select import make_tracing

from .agents import agent, chain

Analyst = agent("analyst", commands=(("brief", "Be brief."),))
Writer = agent("writer", wait_for_docs=("prd",), creates="story", actions=())
SECONDS = 30.0


@dataclass
class Served:
    """A running service; `client` speaks to it as a caller of this machine."""

    app: FastAPI
    server: DrainingServer
    port: int
    client: httpx2.Client

    @property
    def service(self) -> Service:
        service: Service = self.app.state.service
        return service

    def run(self, **fields: Any) -> httpx2.Response:
        body = {"input": "an idea", "story_id": "S-1", "flow": "one", **fields}
        return self.client.post("/run", json=body)

    def until(self, ready: Callable[[], bool]) -> None:
        """Poll; fails when it does not come true."""
        deadline = time.monotonic() + SECONDS
        while not ready():
            assert time.monotonic() < deadline
            time.sleep(0.005)


def write_tree(root: Path, flows: Sequence[str] = ("one", "two")) -> Path:
    """A folder as the compiler leaves it: graphs and a manifest."""
    tree = root / "generated"
    (tree / "graphs").mkdir(parents=True)
    for name in flows:
        step = {"id": "analyst", "kind": "agent", "agent": "analyst", "group": None}
        step |= {"creates": None}
        steps = [{**step, "requires": list[str](), "actions": list[str]()}]
        graph = {"flow": name, "steps": steps, "edges": []}
        (tree / "graphs" / f"{name}.json").write_text(json.dumps(graph))
        (tree / "graphs" / f"{name}.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>\n")
        (tree / "graphs" / f"{name}.mmd").write_text("flowchart TD\n  start --> analyst\n")
    lines = ["# Written by a test.", "# agents 2 flows 2 findings 0"]
    for path in sorted(tree.rglob("*.*")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        lines.append(f"{digest}  {path.relative_to(tree).as_posix()}")
    (tree / "manifest.sha256").write_text("\n".join(lines) + "\n")
    return tree


def one() -> AnyFlow:
    return chain(Analyst())


def two() -> AnyFlow:
    return chain(Analyst(), Writer())


def application(
    root: Path,
    *,
    model: Any = None,
    settings: Mapping[str, Any] | None = None,
    agents: Sequence[type[AgentNode]] = (Analyst, Writer),
    flows: Mapping[str, Flow] | None = None,
    tools: Sequence[Tool] = (),
) -> FastAPI:
    """An app on file stores below `root`; without `model` it is the mock."""
    chosen = Settings.model_validate(
        {"root": root, "data_dir": root, "log_level": "critical", **(settings or {})}
    )
    flows = flows or {
        "one": Flow("one", one, "Only the analyst."),
        "two": Flow("two", two, on_missing_doc="wait"),
    }
    app = create_app(write_tree(root), agents=agents, flows=flows, tools=tools, settings=chosen)
    services: dict[str, Any] = {} if model is None else {"model": model}
    memory, documents = FileMemory(root / "memory"), FileDocuments(root / "docs")
    app.state.service.open(
        Services(
            memory=memory,
            documents=documents,
            settings=chosen,
            tracing=make_tracing(chosen),
            tools=app.state.service.tools,
            **services,
        )
    )
    return app


@contextlib.contextmanager
def serve(app: FastAPI, headers: Mapping[str, str] | None = None) -> Iterator[Served]:
    """Serve on a free loopback port until the end of the block."""
    settings = app.state.service.settings
    server = make_server(app, settings.model_copy(update={"server": _any_port(settings)}))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + SECONDS
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    with httpx2.Client(base_url=base, timeout=SECONDS, trust_env=False, headers=headers) as client:
        try:
            yield Served(app, server, port, client)
        finally:
            server.should_exit = True
            thread.join(SECONDS)
            assert not thread.is_alive(), "the server did not stop"


def _any_port(settings: Settings) -> Any:
    return settings.server.model_copy(update={"port": 0})
