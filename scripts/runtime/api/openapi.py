"""The OpenAPI document: what the routes say, and the problems that any of them may answer."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from .problems import MEDIA_TYPE

_TEXTS: Final = {
    400: "Not JSON, or JSON beyond the bounds",
    401: "A key is needed",
    403: "Only this machine may call while no keys are set",
    404: "There is no such thing",
    406: "Not offered in a form that `Accept` wants",
    409: "The same run is going on, or the key is in use",
    412: "The state is not the one that If-Match names",
    413: "The body is too large",
    414: "The path and query are too long",
    415: "The content type is not accepted here",
    422: "A name or a field does not fit",
    431: "The head is too large",
    500: "The service failed",
    503: "Starting or stopping; try again after Retry-After",
    507: "There is no room",
}
_REF: Final = {"$ref": "#/components/schemas/ProblemDetails"}
_TAGS: Final = (
    ("runs", "Run a flow on a story."),
    ("documents", "Markdown by id; what agents wait for and create."),
    ("memory", "JSON values by scope and key."),
    ("agents", "Who there is, and one of them run alone."),
    ("flows", "Their steps and graphs."),
    ("health", "Open to everyone, without keys."),
    ("metrics", "For Prometheus; open to everyone unless `server.metrics` says otherwise."),
)
_DESCRIPTION: Final = (
    "Agents written in Markdown, compiled by bmad2pf. Errors are RFC 9457 problems."
)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How a route documents the problems that it answers with."""
    return {status: _problem(status) for status in statuses}


def answer(schema: str, description: str = "Done") -> dict[str, Any]:
    """How a route documents a JSON answer; `schema` is the name of a class in `schemas.py`."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content}


def operation_id(route: APIRoute) -> str:
    """The function's name: stable, and what a generated client calls its method."""
    return route.name


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            description=_DESCRIPTION,
            routes=app.routes,
            tags=[{"name": name, "description": text} for name, text in _TAGS],
        )
        _complete(schema)
        app.openapi_schema = schema
    return app.openapi_schema


def _complete(schema: dict[str, Any]) -> None:
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        components.pop(name, None)  # the framework's own form, which no route answers with
    components.update(_answer_schemas())
    schema["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            _complete_operation(operation, guarded=not path.startswith("/health"))


def _answer_schemas() -> dict[str, Any]:
    from pydantic.json_schema import models_json_schema  # at the first look, not at the start

    from .schemas import ALL

    template = "#/components/schemas/{model}"
    _, made = models_json_schema([(model, "serialization") for model in ALL], ref_template=template)
    schemas: dict[str, Any] = made["$defs"]
    return schemas


def _complete_operation(operation: dict[str, Any], *, guarded: bool) -> None:
    responses = operation["responses"]
    common = [414, 431, 500]
    if guarded:
        common += [401, 403]
        operation["security"] = [{"bearer": []}, {"key": []}]
    if "requestBody" in operation:
        common += [413, 415, 422]
        if "application/json" in operation["requestBody"]["content"]:
            common.append(400)
    for status in common:
        responses.setdefault(str(status), _problem(status))
    if "422" in responses:
        responses["422"] = _problem(422)
    for status, response in responses.items():
        if int(status) >= 400 and "application/json" in response.get("content", {}):
            response["content"].setdefault(MEDIA_TYPE, {"schema": _REF})
    operation["responses"] = dict(sorted(responses.items()))


def _problem(status: int) -> dict[str, Any]:
    return {"description": _TEXTS[status], "content": {MEDIA_TYPE: {"schema": _REF}}}
