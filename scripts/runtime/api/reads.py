"""The short way for reads of memory and documents; what is out of the ordinary goes the long way.

As with `POST /run`: most of the CPU time of such a read would be the framework's. What is not
there, is named wrongly, or is wanted in another form is answered by the route itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import BMADError, InvalidName
from .doc import MARKDOWN, document_headers
from .memory import entry_text
from .names import document_id
from .problems import on_bmad_error
from .service import Service

ENTRY: Final = "/memory/{scope}/{key}"
SCOPE: Final = "/memory/{scope}"
DOCUMENT: Final = "/doc/{id}"

_MEMORY, _DOC = "/memory/", "/doc/"
_JSON: Final = ((b"content-type", b"application/json"),)
_TEXT: Final = (b"content-type", MARKDOWN.encode())
# With any of them a document may be answered otherwise.
_FORMS: Final = frozenset({b"accept", b"if-none-match"})
_ANY_FORM: Final = frozenset({b"*/*", b"text/markdown"})


class Answer(NamedTuple):
    """A 200: the path of its route, its body, its headers."""

    route: str
    body: bytes
    headers: Iterable[tuple[bytes, bytes]] = _JSON


class Reads:
    """Stands right before the routing; `routes` are those of the long way."""

    def __init__(self, app: ASGIApp, routes: Iterable[APIRoute]) -> None:
        self.app = app
        wanted = (ENTRY, SCOPE, DOCUMENT)
        self.routes: Mapping[str, APIRoute] = {
            route.path: route
            for route in routes
            if route.path in wanted and "GET" in (route.methods or ())
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or scope["query_string"]:
            await self.app(scope, receive, send)
            return
        try:
            answer = await _answer(scope)
        except InvalidName:
            answer = None
        except BMADError as error:
            await (await on_bmad_error(Request(scope), error))(scope, receive, send)
            return
        if answer is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = self.routes[answer.route]
        length = (b"content-length", b"%d" % len(answer.body))
        headers = [length, *answer.headers]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})


async def _answer(scope: Scope) -> Answer | None:
    """None for what is not one of these reads, or has no ordinary answer."""
    path: str = scope["path"]
    if path.startswith(_MEMORY):
        name, slash, key = path[len(_MEMORY) :].partition("/")
        return await (_entry(scope, name, key) if slash else _entries(scope, name))
    if path.startswith(_DOC):
        return await _document(scope, path[len(_DOC) :])
    return None


async def _entry(scope: Scope, name: str, key: str) -> Answer | None:
    entry = await _service(scope).memory.get(name, key)
    return None if entry is None else Answer(ENTRY, entry_text(entry).encode("ascii"))


async def _entries(scope: Scope, name: str) -> Answer:
    texts = map(entry_text, await _service(scope).memory.entries(name))
    return Answer(SCOPE, f'{{"entries":[{",".join(texts)}]}}'.encode("ascii"))


async def _document(scope: Scope, name: str) -> Answer | None:
    for header, value in scope["headers"]:
        if header in _FORMS and (header != b"accept" or value not in _ANY_FORM):
            return None
    document = await _service(scope).documents.get(document_id(name))
    if document is None:
        return None
    headers = [(k.encode(), v.encode()) for k, v in document_headers(document.info).items()]
    return Answer(DOCUMENT, document.text.encode(), (*headers, _TEXT))


def _service(scope: Scope) -> Service:
    service: Service = scope["app"].state.service
    return service
