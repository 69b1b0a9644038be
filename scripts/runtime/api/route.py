"""How every route reads and answers JSON: the one place where a body becomes a value."""

from __future__ import annotations

from collections.abc import Callable, Container, Coroutine, Mapping
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from .jsontext import JSONFault, dump, parse
from .problems import MAX_ERRORS, MAX_TEXT, Problem


class JSONRequest(Request):
    """A request whose JSON is strict, bounded and declared as JSON."""

    async def json(self) -> Any:
        """The body's value. Raises Problem: 415 for another content type, 400 for bad JSON."""
        check_json_type(self)
        try:
            return parse(await self.body())
        except JSONFault as fault:
            raise Problem(400, "json_invalid", f"the body {fault}") from None


class Route(APIRoute):
    """FastAPI's route with our way to read bodies."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        needs_json = self.body_field is not None
        known = frozenset(str(field.alias) for field in self.dependant.query_params)

        async def handle_strictly(request: Request) -> Response:
            check_query(request, known)
            if needs_json:
                check_json_type(request)
            return await handle(JSONRequest(request.scope, request.receive))

        return handle_strictly


def check_query(request: Request, known: Container[str]) -> None:
    """Raise Problem 422 for parameters that the route does not have, as for fields of a body,
    and for one that is given twice: no route takes several values, and none may get lost."""
    names = [name for name, _ in request.query_params.multi_items()]
    _refuse(names, lambda name: name not in known, "unknown", "There is no such parameter")
    _refuse(names, lambda name: names.count(name) > 1, "repeated", "Give this parameter once")


def _refuse(names: list[str], is_wrong: Callable[[str], bool], code: str, message: str) -> None:
    wrong = [name[:MAX_TEXT] for name in dict.fromkeys(names) if is_wrong(name)]
    if wrong:
        errors = [
            {"field": f"query.{name}", "message": message, "code": code}
            for name in wrong[:MAX_ERRORS]
        ]
        detail = f"{code} query parameter {', '.join(map(repr, wrong[:3]))}"
        raise Problem(422, "invalid", detail, errors=errors)


def media_type(request: Request) -> tuple[str, str]:
    """The content type without parameters, and the charset; both lower-case, empty when absent."""
    kind, *parameters = request.headers.get("content-type", "").lower().split(";")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset":
            return kind.strip(), value.strip().strip('"')
    return kind.strip(), ""


def check_json_type(request: Request) -> None:
    """Raise Problem 415 unless the body is declared as JSON in UTF-8."""
    kind, charset = media_type(request)
    is_json = kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )
    if not is_json or charset not in ("", "utf-8"):
        raise Problem(415, "unsupported_media_type", "send the body as application/json, in UTF-8")


def reply(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(dump(value), status, headers, "application/json")
