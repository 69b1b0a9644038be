"""The least that a FastAPI service can answer a read with: bytes that are there already."""

import os
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import Response

app = FastAPI()
_MEMORY = Path(os.environ["BENCH_MEMORY"]).read_bytes()
_DOCUMENT = Path(os.environ["BENCH_DOCUMENT"]).read_bytes()


@app.get("/health")
def health() -> dict[str, str]:
    """Alive."""
    return {"status": "ok"}


@app.get("/memory/{scope}/{key}")
async def memory(scope: str, key: str) -> Response:
    """What ours answers."""
    return Response(_MEMORY, media_type="application/json")


@app.get("/doc/{id}")
async def document(id: str) -> Response:
    """The same of a document."""
    return Response(_DOCUMENT, media_type="text/markdown; charset=utf-8")
