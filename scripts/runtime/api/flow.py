"""Flows: their steps, and their graphs as the compiler drew them."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ..errors import NotFound
from .accept import choose
from .names import name_of
from .openapi import answer, problems
from .route import Route, reply
from .service import Service, service_of

MERMAID: Final = "text/vnd.mermaid"
JSON: Final = "application/json"
SVG: Final = "image/svg+xml"

router = APIRouter(route_class=Route, tags=["flows"])


_GRAPH: Final = answer("FlowGraph", "Mermaid text, or JSON or SVG by Accept")
_GRAPH["content"][MERMAID] = {"schema": {"type": "string"}}
_GRAPH["content"][SVG] = {"schema": {"type": "string"}}


@router.get("/flow", response_model=None, responses={200: answer("FlowList")})
async def list_flows(request: Request) -> Response:
    """All flows, in their order in the source."""
    service = service_of(request)
    return reply({"flows": [_info(service, name) for name in service.flows]})


@router.get(
    "/flow/{name}",
    response_model=None,
    responses={200: answer("FlowInfo"), **problems(404, 422)},
)
async def read_flow(name: str, request: Request) -> Response:
    """One flow."""
    service = service_of(request)
    return reply(_info(service, _known(service, name)))


@router.get(
    "/flow/{name}/graph",
    response_model=None,
    responses={200: _GRAPH, **problems(404, 406, 422)},
)
async def flow_graph(name: str, request: Request) -> Response:
    """A flow's graph: Mermaid text, or JSON or a picture when `Accept` prefers that."""
    service = service_of(request)
    name = _known(service, name)
    form = choose(request, (MERMAID, JSON, "text/plain", SVG))
    path = _graph_files(service.tree)[name]
    headers = {"vary": "Accept"}
    if form == JSON:
        return Response(path.read_bytes(), headers=headers, media_type=JSON)
    if form == SVG:
        # It has a style of its own, and nothing else; a step's name is text all the same.
        headers["content-security-policy"] = "default-src 'none'; style-src 'unsafe-inline'"
        picture = path.with_suffix(".svg").read_bytes()
        return Response(picture, headers=headers, media_type=SVG)
    text = path.with_suffix(".mmd").read_bytes()
    return Response(text, headers=headers, media_type=f"{form}; charset=utf-8")


def _known(service: Service, name: str) -> str:
    if name_of("name", name) not in service.flows:
        raise NotFound("flow", name, service.flows)
    return name


def _info(service: Service, name: str) -> dict[str, Any]:
    flow = service.flows[name]
    graph = json.loads(_graph_files(service.tree)[name].read_bytes())
    return {
        "name": name,
        "description": flow.description,
        "on_missing_doc": flow.on_missing_doc or service.settings.on_missing_doc,
        "steps": [step["id"] for step in graph["steps"]],
    }


@lru_cache(maxsize=8)
def _graph_files(tree: Path) -> dict[str, Path]:
    """The graph files by their flow's name; a file's own name is derived from it."""
    files = sorted((tree / "graphs").glob("*.json"))
    return {json.loads(path.read_bytes())["flow"]: path for path in files}
