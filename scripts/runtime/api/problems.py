"""Errors of a request as RFC 9457 `application/problem+json`, from one place."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from ..errors import RETRY_SECONDS, BMADError, SourcesChanged
from ..near import aside, near
from .jsontext import dump

_log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
CODE: Final = "bmad.code"  # the code of the problem that was answered, in the request's scope

_CODES: Final = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "invalid",
}
NO_ROUTE: Final = "there is no such route; /docs shows those there are"
MAX_ERRORS: Final = 50
MAX_TEXT: Final = 200
_OF_THE_BODY: Final = 2  # parts of the place of a field that is in no other: body, name


class Problem(HTTPException):
    """A request that cannot be answered; the framework carries it to the handler below."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(status, detail, headers)
        self.code = code
        self.errors = errors


def respond(
    scope: Scope,
    status: int,
    code: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[Mapping[str, Any]] = (),
    changed: Sequence[str] = (),
) -> Response:
    """The response of a problem that happened at `scope`'s path; its log line gets the code."""
    scope[CODE] = code
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": scope.get("raw_path", b"").decode("latin-1")[:MAX_TEXT],
        "code": code,
    }
    if errors:
        body["errors"] = list(errors)
    if changed:
        body["changed"] = list(changed)
    return Response(dump(body), status, dict(headers or {}), MEDIA_TYPE)


async def on_http_exception(request: Request, exc: Exception) -> Response:
    """404 and 405 of the routing, and every Problem."""
    assert isinstance(exc, HTTPException)  # noqa: S101  (registered for this class only)
    code = exc.code if isinstance(exc, Problem) else _CODES.get(exc.status_code, "http_error")
    errors = exc.errors if isinstance(exc, Problem) else ()
    is_of_routing = exc.status_code == 404 and not isinstance(exc, Problem)
    detail = NO_ROUTE if is_of_routing else exc.detail
    return respond(request.scope, exc.status_code, code, detail, headers=exc.headers, errors=errors)


async def on_bmad_error(request: Request, exc: Exception) -> Response:
    """What the runtime refuses, with the status and the code that the error carries."""
    assert isinstance(exc, BMADError)  # noqa: S101  (registered for this class only)
    facts = {"facts": {"code": exc.code}}
    if exc.status == HTTPStatus.SERVICE_UNAVAILABLE:  # on purpose: where it arose tells nobody more
        _log.warning("%s", exc.message, extra=facts)
    elif exc.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error(exc.code, extra=facts, exc_info=exc)
    headers = {"retry-after": str(RETRY_SECONDS)} if exc.status in (429, 503) else None
    changed = exc.changed if isinstance(exc, SourcesChanged) else ()
    return respond(
        request.scope, exc.status, exc.code, exc.message, headers=headers, changed=changed
    )


async def on_invalid(request: Request, exc: Exception) -> Response:
    """Fields that do not fit; the values that were sent are not repeated."""
    assert isinstance(exc, RequestValidationError)  # noqa: S101  (registered for this class only)
    known = _fields(request)
    errors = [_field(error, known) for error in exc.errors()[:MAX_ERRORS]]
    detail = "; ".join(f"{error['field']}: {error['message']}" for error in errors[:3])
    return respond(request.scope, 422, "invalid", detail, errors=errors)


def _fields(request: Request) -> frozenset[str]:
    """The fields that the body of this route may have."""
    parameters = request.scope["route"].dependant.body_params
    models = [parameter.field_info.annotation for parameter in parameters]
    return frozenset(name for model in models for name in getattr(model, "model_fields", ()))


def _field(error: Mapping[str, Any], known: Collection[str]) -> dict[str, str]:
    place, message = error["loc"], error["msg"]
    if error["type"] == "extra_forbidden":
        is_inner = len(place) > _OF_THE_BODY
        hint = None if is_inner else near(str(place[-1])[:MAX_TEXT], known)
        message = f"There is no such field{aside(hint)}"
    name = ".".join(map(str, place))
    return {"field": name[:MAX_TEXT], "message": message, "code": error["type"]}


def install(app: FastAPI) -> None:
    """Register the handlers."""
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(BMADError, on_bmad_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
