"""Bounds on a request's head and body, whichever server carries the application."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .linger import Linger, may_be_cut
from .problems import Problem, respond

MAX_HEAD: Final = 16_384
MAX_TARGET: Final = 8_192
MAX_HEADERS: Final = 100


class Limits:
    """Refuses heads and bodies beyond the bounds; `max_body` is in bytes."""

    def __init__(self, app: ASGIApp, max_body: int) -> None:
        self.app = app
        self.max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = head_problem(scope) or self._declared_problem(scope) or coding_problem(scope)
        if refusal is not None:
            status, code, detail = refusal
            response = respond(scope, status, code, detail, headers={"connection": "close"})
            await response(scope, receive, Linger(receive, send).send)
            return
        if may_be_cut(scope):
            linger = Linger(receive, send)
            receive, send = linger.receive, linger.send
        await self.app(scope, self._bounded(receive), send)

    def _declared_problem(self, scope: Scope) -> tuple[int, str, str] | None:
        for name, value in scope["headers"]:
            if name == b"content-length":
                if not value.isdigit():
                    return 400, "length_invalid", "Content-Length is not a number"
                # Beyond twelve digits the number itself would be work.
                if len(value) > 12 or int(value) > self.max_body:
                    return 413, "body_too_large", self._detail()
        return None

    def _bounded(self, receive: Receive) -> Receive:
        total = 0

        async def bounded() -> Message:
            nonlocal total
            message = await receive()
            if message["type"] == "http.request":
                total += len(message.get("body", b""))
                if total > self.max_body:
                    raise Problem(
                        413, "body_too_large", self._detail(), headers={"connection": "close"}
                    )
            return message

        return bounded

    def _detail(self) -> str:
        return f"the body is larger than {self.max_body} bytes"


def coding_problem(scope: Scope) -> tuple[int, str, str] | None:
    """Status, code and detail of a body that could be read in two ways, or is compressed."""
    headers = scope["headers"]
    names = {name for name, _ in headers}
    if b"transfer-encoding" in names and b"content-length" in names:
        detail = "a body has either Content-Length or Transfer-Encoding"
        return 400, "length_invalid", detail
    codings = (value.strip().lower() for name, value in headers if name == b"content-encoding")
    if any(coding not in (b"", b"identity") for coding in codings):
        return 415, "unsupported_media_type", "send the body without a Content-Encoding"
    return None


def head_problem(scope: Scope) -> tuple[int, str, str] | None:
    """Status, code and detail of a head that is too large; None when it fits."""
    headers = scope["headers"]
    if len(headers) > MAX_HEADERS:
        return 431, "head_too_large", f"more than {MAX_HEADERS} headers"
    target = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    if target > MAX_TARGET:
        return 414, "target_too_long", f"the path and query are longer than {MAX_TARGET} bytes"
    size = target
    for name, value in headers:
        size += len(name) + len(value) + 4
    if size > MAX_HEAD:
        return 431, "head_too_large", f"the head is larger than {MAX_HEAD} bytes"
    return None
