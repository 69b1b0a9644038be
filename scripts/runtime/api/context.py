"""`POST /memory/context`: what an agent's memory holds on a question."""

from __future__ import annotations

from typing import Any, Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from ..errors import NotFound
from ..recall.indexes import Found
from .memory import entry_json
from .names import name_of, story_id
from .openapi import answer, problems
from .route import Route, reply
from .service import Service, service_of

MAX_LIMIT: Final = 100
MAX_QUERY: Final = 20_000  # characters

Category = Literal[
    "agent_context",
    "workflow_pattern",
    "task_completion",
    "collaboration",
    "quality_insight",
    "error_pattern",
]

router = APIRouter(route_class=Route, tags=["memory"])


class ContextBody(BaseModel):
    """A question to an agent's memory."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"agent_id": "analyst", "query": "shopping list", "story_id": "S-1"}]
        },
    )

    agent_id: str = Field(description="Whose memory is asked.")
    query: str = Field(max_length=MAX_QUERY, description="Words; there is no query language.")
    story_id: str | None = Field(None, description="Absent: the agent's memory of all stories.")
    categories: list[Category] = Field([], max_length=20, description="Only these; empty: all.")
    limit: int = Field(10, ge=1, le=MAX_LIMIT, description="How many entries at most.")


@router.post(
    "/memory/context",
    response_model=None,
    responses={200: answer("MemoryContext"), **problems(404, 503)},
)
async def ask_memory(body: ContextBody, request: Request) -> Response:
    """The entries that fit a question best, of the scopes that the agent may see."""
    service = service_of(request)
    names = visible_scopes(service, name_of("agent_id", body.agent_id), body.story_id)
    found = await service.recall.find(
        names, body.query, limit=body.limit, categories=body.categories
    )
    return reply({"entries": [_found(each) for each in found]})


def visible_scopes(service: Service, agent_id: str, story: str | None) -> list[str]:
    """The agent's own memory of a story, or `{agent_id}:` for all; and what it shares.

    Raises NotFound and InvalidName.
    """
    if agent_id not in service.agents:
        raise NotFound("agent", agent_id, service.agents)
    own = f"{agent_id}:{'' if story is None else story_id(story)}"
    return [own, *service.shared_scopes(agent_id)]


def _found(found: Found) -> dict[str, Any]:
    return {**entry_json(found.entry), "score": round(found.score, 6)}
