"""HEAD is GET without the body; who uses a wrong method hears of all that a path has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .problems import CODE, MAX_TEXT, respond

_TOLD: Final = (CODE, "route")  # what the layers outside want to know


class Methods:
    """Stands right before the routing. The server leaves a body out that answers HEAD."""

    def __init__(self, app: ASGIApp, routes: Sequence[APIRoute]) -> None:
        self.app = app
        self.routes = routes
        # `/memory/context` is no scope: a path of a route's own is none of those with a name in it.
        self.own: dict[str, set[str]] = {}
        for route in routes:
            if not route.param_convertors:
                self.own.setdefault(route.path, set()).update(route.methods or ())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        # The server knows by its own scope that this was HEAD.
        inner = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        own = self.own.get(scope["path"], set())
        if own and inner["method"] not in own:
            await _refusal(scope, own)(scope, receive, send)
            return
        others: set[str] = set()

        async def send_but_refusals(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 405:
                others.update(self._methods(scope["path"]))
            if not others:  # none are known of a route of the framework's, which says so itself
                await send(message)

        try:
            await self.app(inner, receive, send_but_refusals)
        finally:
            scope.update({key: inner[key] for key in _TOLD if key in inner})
        if others:
            await _refusal(scope, others)(scope, receive, send)

    def _methods(self, path: str) -> set[str]:
        """All methods of a path, of whatever route."""
        return {
            method
            for route in self.routes
            if route.path_regex.match(path)
            for method in route.methods or ()
        }


def _refusal(scope: Scope, methods: set[str]) -> Response:
    allowed = _listed(methods)
    detail = f"this path takes {allowed}, not {scope['method'][:MAX_TEXT]}"
    return respond(scope, 405, "method_not_allowed", detail, headers={"allow": allowed})


def _listed(methods: set[str]) -> str:
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))
