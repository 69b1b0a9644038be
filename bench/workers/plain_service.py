"""What a team writes by hand: FastAPI, models both ways, ten PocketFlow steps; keeps nothing."""

from __future__ import annotations

import itertools
from typing import Any

from fastapi import FastAPI
from pocketflow import AsyncFlow, AsyncNode
from pydantic import BaseModel

from ..shapes import ANSWER

STEPS = 10

app = FastAPI()


class Body(BaseModel):
    flow: str
    input: str
    story_id: str
    inputs: dict[str, str]


class Answer(BaseModel):
    status: str
    results: dict[str, str]


async def _model(prompt: str) -> str:
    return ANSWER


class Step(AsyncNode):  # type: ignore[type-arg]  # generic in its stubs only
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    async def prep_async(self, shared: Any) -> str:
        return f"{shared['input']}\n\n{shared['last']}"

    async def exec_async(self, prep_res: str) -> str:
        return await _model(prep_res)

    async def post_async(self, shared: Any, prep_res: str, exec_res: str) -> None:
        shared["results"][self.name] = shared["last"] = exec_res


def _flow() -> AsyncFlow:  # type: ignore[type-arg]
    steps = [Step(f"a{number}") for number in range(STEPS)]
    for one, following in itertools.pairwise(steps):
        one >> following
    return AsyncFlow(start=steps[0])


@app.get("/health")
def health() -> dict[str, str]:
    """Alive."""
    return {"status": "ok"}


@app.post("/run")
async def run(body: Body) -> Answer:
    """Run the flow on the input."""
    shared: dict[str, Any] = {"input": body.input, "last": "", "results": {}}
    await _flow().run_async(shared)
    return Answer(status="success", results=shared["results"])
