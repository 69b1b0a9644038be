"""The short way for `POST /run`: what is out of the ordinary goes the framework's long way.

Half of the CPU time of a short run would be the framework's routing, validation and nets. Here an
ordinary request is read as the long way reads it: the same parser, the same model, the same
names. Whatever does not fit is handed on with all that was read of it, so that there is one
place that refuses, one form of problems and one OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import BMADError
from ..run import Run
from .auth import CALLER
from .jsontext import JSONFault, parse
from .run import JSON, SSE, RunBody, run_request
from .service import Service
from .stream import AnswerResponse, RunResponse, StreamResponse

# Headers that only the long way understands, or that say nothing here.
_UNUSUAL: Final = frozenset({b"idempotency-key"})
_JSON: Final = frozenset({b"application/json", b"application/json; charset=utf-8"})
_ANYTHING: Final = b"*/*"

Response = Callable[[Run], RunResponse]
_FORMS: Final[dict[bytes, Response]] = {
    _ANYTHING: AnswerResponse,
    JSON.encode(): AnswerResponse,
    SSE.encode(): StreamResponse,
}


class Quick:
    """Stands right before the routing, for one path; `route` is that of the long way."""

    def __init__(self, app: ASGIApp, route: APIRoute) -> None:
        self.app = app
        self.route = route
        self.path = route.path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != self.path:
            await self.app(scope, receive, send)
            return
        form = _form(scope)
        if form is None:
            await self.app(scope, receive, send)
            return
        read = _Reading(receive)
        run = _started(scope["app"], await read.body(), scope.get(CALLER, ""))
        if run is None:
            await self.app(scope, read.again, send)
            return
        scope["route"] = self.route
        await form(run)(scope, receive, send)


def _form(scope: Scope) -> Response | None:
    """How the request wants to be answered; None for an unusual one."""
    if scope["method"] != "POST" or scope["query_string"]:
        return None
    kind, accepted = b"", _ANYTHING
    for name, value in scope["headers"]:
        if name == b"content-type":
            if kind:
                return None
            kind = value
        elif name == b"accept":
            if accepted is not _ANYTHING:
                return None
            accepted = value
        elif name in _UNUSUAL:
            return None
    return _FORMS.get(accepted) if kind in _JSON else None


def _started(app: FastAPI, body: bytes | None, caller: str) -> Run | None:
    """The run, begun; None when there is something to refuse."""
    if body is None:
        return None
    service: Service = app.state.service
    try:
        wanted = run_request(service, RunBody.model_validate(parse(body)), caller)
        return service.start(wanted)
    except (JSONFault, ValidationError, HTTPException, BMADError):
        return None  # the long way meets it again, and says so


class _Reading:
    """Reads a body, and lets it be read again by whoever comes after."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []
        self._fault: HTTPException | None = None

    async def body(self) -> bytes | None:
        """All of it; None when it is too large or its client has gone."""
        parts: list[bytes] = []
        while True:
            try:
                message = await self._receive()
            except HTTPException as fault:
                self._fault = fault
                return None
            self._messages.append(message)
            if message["type"] != "http.request":
                return None
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                return parts[0] if len(parts) == 1 else b"".join(parts)

    async def again(self) -> Message:
        """The messages that were read, what was raised then, and whatever follows."""
        if self._messages:
            return self._messages.pop(0)
        if self._fault is not None:
            raise self._fault
        return await self._receive()
