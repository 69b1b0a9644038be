"""The short way for reads of memory and of a document, as `quick.py` is for runs.

What is out of the ordinary, be it a parameter, a header or a name that may not be, goes the
framework's long way, which answers the same and refuses in its own form.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import BMADError, InvalidName
from ..stores.names import check_key, parse_scope
from . import doc, memory, names
from .problems import on_bmad_error
from .service import Service

Read = Callable[[Service, Sequence[str]], Awaitable[Response | None]]

_PLAIN: Final = (b"*/*", b"text/markdown")


class QuickRead:
    """Stands right before the routing."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET" and not scope["query_string"]:
            answer = await _answer(scope)
            if answer is not None:
                await answer(scope, receive, send)
                return
        await self.app(scope, receive, send)


async def _answer(scope: Scope) -> Response | None:
    """What was read; None for whatever the long way should look at."""
    _, *parts = scope["path"].split("/")
    known = _READS.get((parts[0], len(parts))) if parts else None
    if known is None:
        return None
    read, route = known
    if read is _document and not _is_plain(scope):
        return None
    try:
        answer = await read(scope["app"].state.service, parts)
    except InvalidName:
        return None  # the long way meets it again, and says so
    except BMADError as error:  # a store that hangs is not asked twice
        answer = await on_bmad_error(Request(scope), error)
    if answer is not None:
        scope["route"] = route
    return answer


async def _memory(service: Service, parts: Sequence[str]) -> Response | None:
    scope, key = parse_scope(parts[1]).text, check_key(parts[2])
    entry = await service.memory.get(scope, key)
    return None if entry is None else memory.shown(entry)


async def _scope(service: Service, parts: Sequence[str]) -> Response:
    return memory.listed(await service.memory.entries(parse_scope(parts[1]).text))


async def _document(service: Service, parts: Sequence[str]) -> Response | None:
    found = await service.documents.get(names.document_id(parts[1]))
    return None if found is None else doc.shown(found)


def _is_plain(scope: Scope) -> bool:
    """Whether the Markdown itself is wanted, whatever its tag."""
    for name, value in scope["headers"]:
        if name == b"if-none-match" or (name == b"accept" and value not in _PLAIN):
            return False
    return True


def _route(routes: Sequence[object], path: str) -> APIRoute:
    """The long way's route, which the request is counted as."""
    found = (route for route in routes if isinstance(route, APIRoute))
    return next(route for route in found if route.path == path and route.methods == {"GET"})


# By the first part of the path and the number of all.
_READS: Final[Mapping[tuple[str, int], tuple[Read, APIRoute]]] = {
    ("memory", 3): (_memory, _route(memory.router.routes, "/memory/{scope}/{key}")),
    ("memory", 2): (_scope, _route(memory.router.routes, "/memory/{scope}")),
    ("doc", 2): (_document, _route(doc.router.routes, "/doc/{id}")),
}
