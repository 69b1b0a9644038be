"""The whole service as one ASGI application."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware import Middleware

from .. import __version__, logs, manifest
from ..configuration import load_settings
from ..flow import Flow
from ..node import AgentNode
from ..settings import Settings
from ..tool import Tool
from . import (
    agent,
    context,
    doc,
    docs_page,
    flow,
    health,
    memory,
    metrics,
    openapi,
    problems,
    revision,
    run,
)
from .auth import EXEMPT, Auth, read_keys
from .limits import Limits
from .methods import Methods
from .quick import Quick
from .quickread import QuickRead
from .service import Service
from .trace import Trace

_STOPPING: Final = (signal.SIGTERM, signal.SIGINT)
_FILES: Final = 65_536
_YOUNG: Final = 50_000  # objects more than there were, before some are looked through
_ROUTERS: Final = (
    run.router,
    doc.router,
    context.router,
    revision.router,
    memory.router,
    agent.router,
    flow.router,
    health.router,
    metrics.router,
    docs_page.router,
)


def create_app(
    tree: Path,
    *,
    agents: Sequence[type[AgentNode]],
    flows: Mapping[str, Flow],
    tools: Sequence[Tool],
    settings: Settings | None = None,
) -> FastAPI:
    """The application that serves the generated folder `tree`.

    Raises TreeError when the folder is not what the compiler wrote, and SettingsError;
    settings are read from the folder beside it and the environment unless given.
    """
    manifest.verify(tree)
    if settings is None:
        settings = load_settings(tree.parent, os.environ)
    logs.configure(settings.log_level)
    service = Service(tree, settings, agents, flows, tools)
    app = FastAPI(
        title="bmad2pf service",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=openapi.operation_id,
        lifespan=_lifespan,
        middleware=_middleware(settings),
        # Ours know the short ways too; the framework's would carry the texts of faults and queries.
        telemetry={"logs": False, "metrics": False, "tracing": False},
    )
    app.state.service = service
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign]
    problems.install(app)
    for router in _ROUTERS:
        app.include_router(router)
    return app


def _middleware(settings: Settings) -> list[Middleware]:
    """From the outside in."""
    server = settings.server
    exempt = EXEMPT | {metrics.PATH} if server.metrics == "open" else EXEMPT
    return [
        # Around all that may refuse: without its headers a page is not told so much as the status.
        *(_cors(server.cors_origins) if server.cors_origins else ()),
        Middleware(Trace),
        Middleware(Limits, max_body=server.max_body),
        Middleware(Auth, keys=read_keys(settings), off=server.auth == "off", exempt=exempt),
        Middleware(Methods, routes=_routes()),
        Middleware(Quick, route=run.route()),
        Middleware(QuickRead),
    ]


def _routes() -> list[APIRoute]:
    routes = (route for router in _ROUTERS for route in router.routes)
    return [route for route in routes if isinstance(route, APIRoute)]


def _cors(origins: Sequence[str]) -> list[Middleware]:
    from starlette.middleware.cors import CORSMiddleware  # off unless configured

    return [
        Middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["*"],
            expose_headers=["ETag", "X-Request-ID", "created_at", "updated_at", "Retry-After"],
        )
    ]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    _allow_files()
    with _rare_collections():
        service.open()
        try:
            with _told_to_stop(service):
                service.started = True
                yield
        finally:
            await service.close()


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Look for cycles less often: a thousand runs hold much that is no garbage.

    Runs end without leaving cycles, so that the number of objects grows with what goes on,
    and Python's own thresholds spend a quarter of a crowd's time on looking through it.
    """
    young, *others = gc.get_threshold()
    if 0 < young < _YOUNG:
        gc.set_threshold(_YOUNG, *others)
    try:
        yield
    finally:
        gc.set_threshold(young, *others)


def _allow_files() -> None:
    """Each run holds a file and each client a socket: take more of what the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextmanager
def _told_to_stop(service: Service) -> Iterator[None]:
    """Begin to drain at the signal itself: a server tells us only when its requests are over.

    The server's own handlers are called after ours, and are put back at the end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may listen to signals
        return
    loop = asyncio.get_running_loop()
    previous = {number: signal.getsignal(number) for number in _STOPPING}
    tasks: set[asyncio.Task[None]] = set()

    def drain() -> None:
        if service.executor.draining:
            service.hurry()
        else:
            tasks.add(loop.create_task(service.drain()))

    for number, handler in previous.items():
        signal.signal(number, _then(lambda: loop.call_soon_threadsafe(drain), handler))
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _then(first: Callable[[], Any], handler: Any) -> Callable[[int, FrameType | None], None]:
    def both(number: int, frame: FrameType | None) -> None:
        first()
        if callable(handler):
            handler(number, frame)

    return both
