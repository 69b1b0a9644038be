"""How the service is. Nothing here needs a key; only `ready` looks at the data folders.

Memory is asked once a second at most, and for a second at most: see `stores/probe.py`.
"""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from .. import __version__
from ..errors import RETRY_SECONDS
from .openapi import answer
from .route import Route, reply
from .service import Service, service_of

router = APIRouter(route_class=Route, tags=["health"])


_WAITING: dict[int | str, dict[str, Any]] = {
    200: answer("Probe"),
    503: answer("Probe", "Not now; `reason` says why"),
}


@router.get("/health", response_model=None, responses={200: answer("Health")})
async def health(request: Request) -> Response:
    """What runs here, on which model and memory."""
    service = service_of(request)
    reachable = await service.memory_fault() is None
    memory = {"backend": service.memory.backend, "reachable": reachable}
    damaged = service.damaged_files
    return reply(
        {
            "status": _status(service, reachable and not damaged),
            "version": __version__,
            "uptime": round(time.monotonic() - service.began, 3),
            "flows": len(service.flows),
            "agents": len(service.agents),
            "llm": model_health(service),
            "memory": {**memory, "damaged_files": damaged},
        }
    )


@router.get("/health/live", response_model=None, responses={200: answer("Probe")})
async def live(request: Request) -> Response:
    """The process answers."""
    return reply({"status": "ok"})


@router.get("/health/ready", response_model=None, responses=_WAITING)
async def ready(request: Request) -> Response:
    """Whether a run could begin: 503 while starting or stopping, or without its stores."""
    return _probe(await service_of(request).reason_to_wait())


@router.get("/health/startup", response_model=None, responses=_WAITING)
async def startup(request: Request) -> Response:
    """Whether the start is over: 503 until then."""
    return _probe(None if service_of(request).started else "the service is starting")


def model_health(service: Service) -> dict[str, Any]:
    """Provider and model; says whether it is the mock."""
    model = service.services.model
    return {"provider": model.provider, "model": model.name, "mock": model.provider == "mock"}


def _status(service: Service, well: bool) -> str:
    if not service.started:
        return "starting"
    if service.executor.draining:
        return "stopping"
    return "ok" if well else "degraded"


def _probe(reason: str | None) -> Response:
    if reason is None:
        return reply({"status": "ok"})
    return reply(
        {"status": "unavailable", "reason": reason}, 503, {"retry-after": str(RETRY_SECONDS)}
    )
