"""Documents: Markdown by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ..errors import InvalidName, NotFound
from ..spec import MAX_DOCUMENT_ID, is_document_id
from ..stores.protocol import Document, DocumentInfo, DocumentStore
from . import names
from .accept import choose, prefers
from .archive import archive
from .auth import CALLER
from .names import document_id
from .openapi import answer, problems
from .problems import Problem
from .route import Route, media_type, reply
from .service import service_of

MARKDOWN: Final = "text/markdown; charset=utf-8"
HTML: Final = "text/html"
JSON: Final = "application/json"
ZIP: Final = "application/zip"
PAGE: Final = 1000  # documents in one list, unless another limit is asked for
MAX_PAGE: Final = 10_000
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
        "content": {
            "text/markdown": {"schema": {"type": "string"}},
            HTML: {"schema": {"type": "string"}},
        },
    },
    304: {"description": "Not changed since the tag in If-None-Match"},
}
_LIST: Final = answer("DocumentList", "The documents, or a zip of them")
_LIST["content"][ZIP] = {"schema": {"type": "string", "format": "binary"}}

router = APIRouter(route_class=Route, tags=["documents"])


IfMatch = Annotated[str | None, Header(description="Write only over the state with this ETag.")]
IfAbsent = Annotated[
    str | None,
    Header(alias="If-None-Match", description="`*`: only when there is no such document."),
]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="How many at most.")]
Prefix = Annotated[str, Query(max_length=MAX_DOCUMENT_ID, description="Only ids that begin so.")]
Cursor = Annotated[str | None, Query(description="`next` of the page before.")]
Story = Annotated[str | None, Query(description="Only the documents of this story.")]


@router.get("/doc/", response_model=None, include_in_schema=False)
@router.get("/doc", response_model=None, responses={200: _LIST, **problems(406, 422, 503)})
async def list_documents(
    request: Request,
    story_id: Story = None,
    prefix: Prefix = "",
    limit: Limit = PAGE,
    cursor: Cursor = None,
) -> Response:
    """Documents by id, a page at a time; as a zip all that the filters let through."""
    documents = service_of(request).documents
    start = _start(story_id, prefix)
    if cursor is not None and not is_document_id(cursor):
        raise InvalidName("cursor", "should be `next` of an earlier answer")
    after = cursor or ""
    if choose(request, (JSON, ZIP)) == ZIP:
        found = _of_story(await documents.list(start, after=after), story_id)
        return _zipped(documents, found, story_id)
    infos = await documents.list(start, after=after, limit=limit + 1)
    more = infos[limit - 1].id if len(infos) > limit else None
    entries = [_entry(info) for info in _of_story(infos[:limit], story_id)]
    return reply({"documents": entries, "next": more}, headers={"vary": "accept"})


def _start(story: str | None, prefix: str) -> str:
    """What the wanted ids begin with; `prefix` stands behind the story's."""
    return prefix if story is None else f"{names.story_id(story)}__{prefix}"


def _of_story(infos: Sequence[DocumentInfo], story: str | None) -> list[DocumentInfo]:
    """Without those of a story whose id is this one's and a `_`: no name begins with it."""
    return [info for info in infos if story is None or info.id[len(story) + 2] != "_"]


def _zipped(documents: DocumentStore, infos: Sequence[DocumentInfo], story: str | None) -> Response:
    headers = {"content-disposition": f'attachment; filename="{story or "documents"}.zip"'}
    return StreamingResponse(
        archive(documents, infos, story), headers=headers | {"vary": "accept"}, media_type=ZIP
    )


@router.get("/doc/{id}", response_model=None, responses={**_TEXT, **problems(404, 422, 503)})
async def read_document(
    id: str,
    request: Request,
    rev: Annotated[int | None, Query(ge=1, description="As it was at this revision.")] = None,
    if_none_match: Annotated[str | None, Header(description="Answer 304 for this ETag.")] = None,
) -> Response:
    """The Markdown of a document, or a page of HTML where the client likes that better."""
    name = document_id(id)
    document = await service_of(request).documents.get(name, rev)
    if document is None:
        raise NotFound("document", name if rev is None else f"{name}, revision {rev}")
    headers = _read_headers(document.info)
    as_page = prefers(request, HTML, "text/markdown", "text/plain")
    if as_page:  # another form of the same state has another tag
        headers["etag"] = f'{headers["etag"][:-1]}-html"'
    if if_none_match is not None and _lists(if_none_match, headers["etag"]):
        return Response(status_code=304, headers=headers)
    if as_page:
        return await _page(document, headers)
    return shown(document)


def shown(document: Document) -> Response:
    """The answer that is a document's Markdown."""
    headers = _read_headers(document.info)
    return Response(document.text.encode("utf-8"), headers=headers, media_type=MARKDOWN)


async def _page(document: Document, headers: Mapping[str, str]) -> Response:
    from . import page  # most clients are programs, which want no pages

    html = await page.rendered(document.info, document.text)
    return Response(html, headers={**headers, **page.HEADERS}, media_type=HTML)


@router.put(
    "/doc/{id}",
    response_model=None,
    responses={
        200: answer("Success", "Replaced, or the same as before"),
        201: answer("Success", "New"),
        **problems(412, 413, 415, 422, 503, 507),
    },
    openapi_extra=_BODY,
)
async def write_document(
    id: str, request: Request, if_match: IfMatch = None, if_absent: IfAbsent = None
) -> Response:
    """Keep a document's Markdown; what it was before stays as a revision."""
    name = document_id(id)
    text = await _markdown(request)
    info, new = await service_of(request).documents.put(
        name, text, if_match=if_match, if_none_match=if_absent, author=_author(request)
    )
    return reply({"success": True}, 201 if new else 200, _headers(info))


def _author(request: Request) -> dict[str, str]:
    """A client by the name of its key, where keys are used."""
    name = request.scope.get(CALLER)
    return {"kind": "client", "client": name} if name else {"kind": "client"}


@router.delete(
    "/doc/{id}",
    response_model=None,
    responses={200: answer("Success"), **problems(404, 412, 422, 503)},
)
async def delete_document(id: str, request: Request, if_match: IfMatch = None) -> Response:
    """Remove a document and its revisions."""
    name = document_id(id)
    if not await service_of(request).documents.delete(name, if_match=if_match):
        raise NotFound("document", name)
    return reply({"success": True})


@router.get(
    "/doc/{id}/status",
    response_model=None,
    responses={200: answer("Existence"), **problems(422, 503)},
)
async def document_status(id: str, request: Request) -> Response:
    """Whether a document is there."""
    exists = await service_of(request).documents.exists(document_id(id))
    return reply({"exists": exists})


async def _markdown(request: Request) -> str:
    kind, charset = media_type(request)
    if kind not in _TYPES or charset not in _CHARSETS:
        detail = "send Markdown as text/markdown or text/plain, in UTF-8"
        raise Problem(415, "unsupported_media_type", detail)
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


def _read_headers(info: DocumentInfo) -> dict[str, str]:
    return {**_headers(info), "vary": "accept"}


def _entry(info: DocumentInfo) -> dict[str, Any]:
    return {"id": info.id, **_headers(info), "etag": info.etag or None, "size": info.size}
