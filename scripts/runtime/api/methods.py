"""HEAD is GET without the body; who uses a wrong method hears of all that a path has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .problems import CODE, respond

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

        async def send_with_methods(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 405:
                message = {**message, "headers": self._allowing(scope["path"], message["headers"])}
            await send(message)

        # The server knows by its own scope that this was HEAD.
        inner = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        own = self.own.get(scope["path"])
        if own is not None and inner["method"] not in own:
            headers = {"allow": _listed(own)}
            refusal = respond(
                scope, 405, "method_not_allowed", "Method Not Allowed", headers=headers
            )
            await refusal(scope, receive, send)
            return
        try:
            await self.app(inner, receive, send_with_methods)
        finally:
            scope.update({key: inner[key] for key in _TOLD if key in inner})

    def _allowing(
        self, path: str, headers: Sequence[tuple[bytes, bytes]]
    ) -> list[tuple[bytes, bytes]]:
        """The headers, with all methods of the path."""
        found = {
            method
            for route in self.routes
            if route.path_regex.match(path)
            for method in route.methods or ()
        }
        if not found:
            return [*headers]  # a route of the framework's, which says so itself
        kept = [(name, value) for name, value in headers if name.lower() != b"allow"]
        return [*kept, (b"allow", _listed(found).encode("ascii"))]


def _listed(methods: set[str]) -> str:
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))
