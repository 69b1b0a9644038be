"""What a document was before: its revisions, and what differs between two of them."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from ..diff import unified
from ..errors import NotFound
from ..stores.protocol import DocumentStore, Revision
from .accept import choose
from .names import document_id
from .openapi import answer, problems
from .route import Route, reply
from .service import service_of

DIFF: Final = "text/x-diff"
JSON: Final = "application/json"
_DIFF: Final = answer("DocumentDiff", "The difference; empty where there is none")
_DIFF["content"][DIFF] = {"schema": {"type": "string"}}

router = APIRouter(route_class=Route, tags=["documents"])


@router.get(
    "/doc/{id}/revisions",
    response_model=None,
    responses={200: answer("RevisionList"), **problems(404, 422, 503)},
)
async def document_revisions(id: str, request: Request) -> Response:
    """The kept revisions of a document, newest first, and who wrote them."""
    name = document_id(id)
    revisions = await service_of(request).documents.revisions(name)
    if not revisions:
        raise NotFound("document", name)
    return reply({"id": name, "revisions": [_entry(revision) for revision in revisions]})


@router.get(
    "/doc/{id}/diff",
    response_model=None,
    responses={200: _DIFF, **problems(404, 406, 422, 503)},
)
async def document_diff(
    id: str,
    request: Request,
    before: Annotated[
        int | None, Query(alias="from", ge=0, description="The one before `to`; 0 is empty.")
    ] = None,
    after: Annotated[int | None, Query(alias="to", ge=1, description="The newest one.")] = None,
) -> Response:
    """What differs between two revisions, as a unified diff."""
    name = document_id(id)
    form = choose(request, (DIFF, JSON))
    documents = service_of(request).documents
    numbers = [revision.rev for revision in await documents.revisions(name)]
    if not numbers:
        raise NotFound("document", name)
    to = numbers[0] if after is None else after
    since = max((rev for rev in numbers if rev < to), default=0) if before is None else before
    old, new = await _text(documents, name, since), await _text(documents, name, to)
    names = (f"{name}.md\trevision {since}", f"{name}.md\trevision {to}")
    diff = await asyncio.to_thread(unified, old, new, names)
    headers = {"vary": "accept"}
    if form == JSON:
        return reply({"id": name, "from": since, "to": to, "diff": diff}, headers=headers)
    return Response(diff.encode(), headers=headers, media_type=f"{DIFF}; charset=utf-8")


async def _text(documents: DocumentStore, name: str, rev: int) -> str:
    if rev == 0:
        return ""
    document = await documents.get(name, rev)
    if document is None:
        raise NotFound("document", f"{name}, revision {rev}")
    return document.text


def _entry(revision: Revision) -> dict[str, Any]:
    return {
        "rev": revision.rev,
        "etag": revision.etag,
        "time": revision.time,
        "size": revision.size,
        "author": dict(revision.author),
    }
