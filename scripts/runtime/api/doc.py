"""Documents: Markdown by id."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header
from starlette.requests import Request
from starlette.responses import Response

from ..errors import NotFound
from ..stores.protocol import DocumentInfo
from .names import document_id
from .openapi import answer, problems
from .problems import Problem
from .route import Route, media_type, reply
from .service import service_of

MARKDOWN: Final = "text/markdown; charset=utf-8"
_TYPES: Final = ("", "text/markdown", "text/plain")
_CHARSETS: Final = ("", "utf-8", "us-ascii")
_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "text/markdown": {"schema": {"type": "string"}, "example": "# Requirements\n"},
            "text/plain": {"schema": {"type": "string"}},
        },
    }
}
_TEXT: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The Markdown, with `etag`, `created_at` and `updated_at` headers",
        "content": {"text/markdown": {"schema": {"type": "string"}}},
    },
    304: {"description": "Not changed since the tag in If-None-Match"},
}

router = APIRouter(route_class=Route, tags=["documents"])


IfMatch = Annotated[str | None, Header(description="Write only over the state with this ETag.")]


@router.get("/doc/", response_model=None, include_in_schema=False)
@router.get("/doc", response_model=None, responses={200: answer("DocumentList")})
async def list_documents(request: Request) -> Response:
    """All documents, by id."""
    infos = await service_of(request).documents.list()
    entries = [_entry(info) for info in infos]
    return reply({"documents": entries})


@router.get("/doc/{id}", response_model=None, responses={**_TEXT, **problems(404, 422)})
async def read_document(
    id: str,
    request: Request,
    if_none_match: Annotated[str | None, Header(description="Answer 304 for this ETag.")] = None,
) -> Response:
    """The Markdown of a document."""
    name = document_id(id)
    document = await service_of(request).documents.get(name)
    if document is None:
        raise NotFound("document", name)
    headers = _headers(document.info)
    if if_none_match is not None and _lists(if_none_match, document.info.etag):
        return Response(status_code=304, headers=headers)
    return Response(document.text.encode("utf-8"), headers=headers, media_type=MARKDOWN)


@router.put(
    "/doc/{id}",
    response_model=None,
    responses={
        200: answer("Success", "Replaced"),
        201: answer("Success", "New"),
        **problems(412, 413, 415, 422, 507),
    },
    openapi_extra=_BODY,
)
async def write_document(id: str, request: Request, if_match: IfMatch = None) -> Response:
    """Keep a document's Markdown."""
    name = document_id(id)
    text = await _markdown(request)
    info, new = await service_of(request).documents.put(name, text, if_match=if_match)
    return reply({"success": True}, 201 if new else 200, _headers(info))


@router.delete(
    "/doc/{id}",
    response_model=None,
    responses={200: answer("Success"), **problems(404, 412, 422)},
)
async def delete_document(id: str, request: Request, if_match: IfMatch = None) -> Response:
    """Remove a document."""
    name = document_id(id)
    if not await service_of(request).documents.delete(name, if_match=if_match):
        raise NotFound("document", name)
    return reply({"success": True})


@router.get(
    "/doc/{id}/status",
    response_model=None,
    responses={200: answer("Existence"), **problems(422)},
)
async def document_status(id: str, request: Request) -> Response:
    """Whether a document is there."""
    exists = await service_of(request).documents.exists(document_id(id))
    return reply({"exists": exists})


async def _markdown(request: Request) -> str:
    kind, charset = media_type(request)
    if kind not in _TYPES or charset not in _CHARSETS:
        raise Problem(415, "unsupported_media_type", "send Markdown as text/markdown, in UTF-8")
    try:
        text = (await request.body()).decode("utf-8")
    except UnicodeDecodeError:
        raise Problem(422, "text_invalid", "the body is not UTF-8") from None
    if "\0" in text:
        raise Problem(422, "text_invalid", "the body holds a NUL")
    return text


def _lists(header: str, etag: str) -> bool:
    """Whether an If-None-Match names the tag; weak ones compare equal here (RFC 9110)."""
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or etag in tags


def _headers(info: DocumentInfo) -> dict[str, str]:
    return {"etag": info.etag, "created_at": info.created_at, "updated_at": info.updated_at}


def _entry(info: DocumentInfo) -> dict[str, Any]:
    return {"id": info.id, **_headers(info), "size": info.size}
