"""The least that a FastAPI service can be: one route."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/health")
def health() -> dict[str, str]:
    """Alive."""
    return {"status": "ok"}
