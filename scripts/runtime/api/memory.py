"""Memory: JSON values by scope and key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from ..errors import NotFound
from ..near import near
from ..stores.names import SHARED, check_category, check_key, parse_scope
from ..stores.protocol import CATEGORIES, Entry
from .openapi import answer, problems
from .route import Route, reply
from .service import Service, service_of

router = APIRouter(route_class=Route, tags=["memory"])


_VALUE: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {}, "example": {"depth": "full"}}},
    }
}


_CATEGORIES: Final = f"One of {', '.join(CATEGORIES)}."
About = Annotated[str | None, Query(description=f"What the value is about. {_CATEGORIES}")]
Only = Annotated[str | None, Query(description=f"Only entries about this. {_CATEGORIES}")]


@router.get(
    "/memory/{scope}",
    response_model=None,
    responses={200: answer("MemoryScope"), **problems(422, 503)},
)
async def read_scope(scope: str, request: Request, category: Only = None) -> Response:
    """The newest value of each key of a scope, newest first."""
    wanted = check_category(category)
    entries = await service_of(request).memory.entries(parse_scope(scope).text)
    return listed(entry for entry in entries if wanted in (None, entry.category))


@router.get(
    "/memory/{scope}/{key}",
    response_model=None,
    responses={200: answer("MemoryEntry"), **problems(404, 422, 503)},
)
async def read_memory(
    scope: str,
    key: str,
    request: Request,
    history: Annotated[bool, Query(description="Also the earlier values.")] = False,
) -> Response:
    """A key's newest value; with `history` all its writes, oldest first."""
    memory = service_of(request).memory
    scope, key = parse_scope(scope).text, check_key(key)
    if not history:
        entry = await memory.get(scope, key)
        if entry is None:
            raise NotFound("memory", f"{scope}/{key}")
        return shown(entry)
    writes = await memory.history(scope, key)
    if not writes:
        raise NotFound("memory", f"{scope}/{key}")
    return reply({**entry_json(writes[-1]), "history": [_write(entry) for entry in writes]})


@router.put(
    "/memory/{scope}/{key}",
    response_model=None,
    responses={200: answer("Written"), **problems(400, 404, 413, 415, 422, 503, 507)},
    openapi_extra=_VALUE,
)
async def write_memory(scope: str, key: str, request: Request, category: About = None) -> Response:
    """Keep a JSON value; the body is the bare value."""
    scope, key = parse_scope(scope).text, check_key(key)
    about = check_category(category)
    service = service_of(request)
    _refuse_misspelt(scope.partition(":")[0], service)
    value = await request.json()
    entry = await service.memory.put(scope, key, value, category=about)
    body = {"success": True, "key": key, "scope": scope}
    return reply({**body, "timestamp": entry.timestamp, "seq": entry.seq})


@router.delete(
    "/memory/{scope}/{key}",
    response_model=None,
    responses={200: answer("Success"), **problems(404, 422, 503, 507)},
)
async def delete_memory(scope: str, key: str, request: Request) -> Response:
    """Remove a key; its history stays."""
    scope, key = parse_scope(scope).text, check_key(key)
    if not await service_of(request).memory.delete(scope, key):
        raise NotFound("memory", f"{scope}/{key}")
    return reply({"success": True})


def _refuse_misspelt(owner: str, service: Service) -> None:
    """Raises NotFound for an agent that there is not, with an id that is almost another's.

    Any other may have been one before, or be one of another tree on the same memory.
    """
    if owner not in (SHARED, *service.agents) and near(owner, service.agents):
        raise NotFound("agent", owner, service.agents)


def listed(entries: Iterable[Entry]) -> Response:
    """The answer that is several of them."""
    return reply({"entries": [entry_json(entry) for entry in entries]})


def shown(entry: Entry) -> Response:
    """The answer that is one entry."""
    return reply(entry_json(entry))


def entry_json(entry: Entry) -> dict[str, Any]:
    """An entry as answers show it; `category` is there only when it has one."""
    fields: dict[str, Any] = {
        "key": entry.key,
        "value": entry.value,
        "scope": entry.scope,
        "timestamp": entry.timestamp,
        "seq": entry.seq,
    }
    if entry.category is not None:
        fields["category"] = entry.category
    return fields


def _write(entry: Entry) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "value": entry.value,
        "timestamp": entry.timestamp,
        "seq": entry.seq,
        "op": entry.op,
    }
    if entry.category is not None:
        shown["category"] = entry.category
    return shown
