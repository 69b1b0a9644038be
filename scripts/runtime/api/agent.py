"""Agents: who there is, and one of them run alone."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from ..clock import rfc3339
from ..errors import NotFound
from ..executor import RunRequest
from ..near import aside, near
from ..node import AgentNode
from .names import name_of, story_id
from .openapi import answer, problems
from .problems import Problem
from .route import Route, reply
from .run import IdempotencyKey, respond, run_answers
from .service import Service, service_of

router = APIRouter(route_class=Route, tags=["agents"])


class AgentRunBody(BaseModel):
    """What to ask of the agent."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"input": "Who would buy this?", "story_id": "S-1"}]},
    )

    input: str
    story_id: str
    command: str | None = Field(None, description="One of the agent's commands.")


@router.get("/agent", response_model=None, responses={200: answer("AgentList")})
async def list_agents(request: Request) -> Response:
    """All agents, by id."""
    agents = service_of(request).agents
    return reply({"agents": [_info(agents[name]) for name in sorted(agents)]})


@router.get(
    "/agent/{id}",
    response_model=None,
    responses={200: answer("AgentInfo"), **problems(404, 422)},
)
async def read_agent(id: str, request: Request) -> Response:
    """One agent."""
    return reply(_info(_agent(service_of(request), id)))


@router.get(
    "/agent/{id}/ready",
    response_model=None,
    responses={200: answer("Readiness"), **problems(404, 422)},
)
async def agent_ready(id: str, request: Request) -> Response:
    """Whether an agent could be run now, and when it last was."""
    service = service_of(request)
    agent = _agent(service, id)
    last = service.executor.last_execution.get(agent.id)
    missing = [name for name in agent.tools if name not in service.tools]
    reason = await service.reason_to_wait()
    if reason is None and missing:
        reason = f"there is no tool {missing[0]!r}"
    body: dict[str, Any] = {
        "ready": reason is None,
        "last_execution": None if last is None else rfc3339(last),
    }
    return reply(body if reason is None else {**body, "reason": reason})


@router.post(
    "/agent/{id}/run",
    response_model=None,
    responses=run_answers(),
)
async def run_agent(
    id: str, body: AgentRunBody, request: Request, idempotency_key: IdempotencyKey = None
) -> Response:
    """Run one agent alone, outside any flow; answered like `POST /run`."""
    agent = _agent(service_of(request), id)
    wanted = RunRequest(
        flow="",
        input=body.input,
        story_id=story_id(body.story_id),
        agent=agent.id,
        command=_command(agent, body.command),
        on_change="restart",  # one step: there is nothing to lose
    )
    return await respond(request, wanted, idempotency_key)


def _agent(service: Service, id: str) -> type[AgentNode]:
    agent = service.agents.get(name_of("id", id))
    if agent is None:
        raise NotFound("agent", id, service.agents)
    return agent


def _command(agent: type[AgentNode], command: str | None) -> str | None:
    if command is None:
        return None
    name = command.removeprefix("*")
    known = [known[0] for known in agent.commands]
    if name not in known:
        raise Problem(
            422,
            "command_unknown",
            f"agent {agent.id!r} has these commands: {', '.join(known) or 'none'}"
            f"{aside(near(name, known))}",
        )
    return name


def _info(agent: type[AgentNode]) -> dict[str, Any]:
    return {
        "id": agent.id,
        "description": agent.describe(),
        "tools": agent.tools,
        "memory_scope": agent.memory_scope,
        "memory_recall": agent.memory_recall,
        "wait_for_docs": agent.wait_for_docs,
        "wait_for_agents": agent.wait_for_agents,
        "commands": [command[0] for command in agent.commands],
        "creates": agent.creates,
        "actions": agent.actions,
    }
