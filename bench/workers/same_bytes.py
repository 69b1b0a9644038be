"""The least that FastAPI does: endpoints that return bytes that are there already."""

from __future__ import annotations

import os
from pathlib import Path

from fastapi import FastAPI, Response

_FOLDER = Path(os.environ["BENCH_BYTES"])
_ENTRY = (_FOLDER / "entry").read_bytes()
_SCOPE = (_FOLDER / "scope").read_bytes()
_DOCUMENT = (_FOLDER / "document").read_bytes()

app = FastAPI()


@app.get("/health")
async def health() -> Response:
    """Alive."""
    return Response(b"{}", media_type="application/json")


@app.get("/memory/{scope}/{key}")
async def entry(scope: str, key: str) -> Response:
    """One entry."""
    return Response(_ENTRY, media_type="application/json")


@app.get("/memory/{scope}")
async def entries(scope: str) -> Response:
    """Its scope."""
    return Response(_SCOPE, media_type="application/json")


@app.get("/doc/{id}")
async def document(id: str) -> Response:
    """A document."""
    return Response(_DOCUMENT, media_type="text/markdown; charset=utf-8")
