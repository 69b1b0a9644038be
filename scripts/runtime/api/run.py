"""`POST /run`: one flow on one story, answered as JSON or as a stream of its events."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Header
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.requests import Request
from starlette.responses import Response

from ..executor import RunRequest
from ..runner import Decision
from .accept import choose
from .auth import CALLER
from .names import document_id, name_of, story_id
from .openapi import answer, problems
from .problems import Problem
from .route import Route
from .service import Service, service_of
from .stream import AnswerResponse, StreamResponse

JSON: Final = "application/json"
SSE: Final = "text/event-stream"
_MAX_CHANGED: Final = 1000

router = APIRouter(route_class=Route, tags=["runs"])


class DecisionBody(BaseModel):
    """What a person chose at a gate."""

    model_config = ConfigDict(extra="forbid", strict=True)

    gate: str = Field(description="As pending_gates names it.")
    action: str = Field(description="One of the gate's actions.")
    comment: str = ""
    visit: int | None = Field(
        None,
        ge=1,
        description="As pending_gates has it: then the same decision again changes nothing.",
    )


class RunBody(BaseModel):
    """What to run, and on what."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"input": "A shopping list that two people share", "story_id": "S-1"}]
        },
    )

    input: str = Field(description="What the first agent is asked.")
    story_id: str = Field(description="Ties documents and memory of several runs together.")
    flow: str | None = Field(
        None, description="May be left out with a flow named default, or only one flow."
    )
    inputs: dict[str, JsonValue] = Field({}, description="Further values that agents see.")
    documents: dict[str, str] = Field({}, description="Markdown by name, kept for the story.")
    fresh: bool = Field(False, description="Start over where a run could be continued.")
    decision: DecisionBody | None = Field(None, description="For a gate of a pending run.")
    changed: list[str] = Field(
        [],
        max_length=_MAX_CHANGED,
        description="Documents that are new: finished steps that require one run again.",
    )
    on_change: Literal["restart", "continue"] | None = Field(
        None, description="What to do with a run whose sources have changed since."
    )


_STREAM: Final[dict[str, Any]] = {
    "schema": {"type": "string"},
    "example": 'id: 1\nevent: run.started\ndata: {"seq":1,"run_id":"…","type":"run.started"}\n\n',
}


def run_answers() -> dict[int | str, dict[str, Any]]:
    """How OpenAPI documents what becomes of a run: its JSON, or a problem where none began."""
    described = {
        402: "The budget is used up",
        409: "A document is missing, the same run is going on, or its sources have changed",
        500: "The run failed, by our fault",
        502: "The model failed",
        503: "Cancelled while the service stops, or not begun",
        504: "Time ran out",
        507: "There is no room to keep what was done",
    }
    answers: dict[int | str, dict[str, Any]] = {
        status: answer("RunAnswer", text) for status, text in described.items()
    }
    answers |= problems(404, 406)
    answers[200] = answer("RunAnswer", "The run's answer, or the stream of its events")
    answers[200]["content"][SSE] = _STREAM
    return answers


IdempotencyKey = Annotated[
    str | None, Header(description="The same key and body get the first final answer again.")
]


@router.post("/run", response_model=None, responses=run_answers())
async def start_run(
    body: RunBody, request: Request, idempotency_key: IdempotencyKey = None
) -> Response:
    """Run a flow on a story; the same request again continues a run that did not succeed."""
    wanted = run_request(service_of(request), body, request.scope.get(CALLER, ""))
    return await respond(request, wanted, idempotency_key)


def route() -> APIRoute:
    """The route of `POST /run`."""
    return next(each for each in router.routes if isinstance(each, APIRoute))


async def respond(request: Request, wanted: RunRequest, key: str | None) -> Response:
    """Begin the run and answer in the form that the client wants; with a key only once."""
    streamed = choose(request, (JSON, SSE)) == SSE
    response = StreamResponse if streamed else AnswerResponse
    service, caller = service_of(request), request.scope.get(CALLER, "")
    if key is None:
        return response(service.start(wanted))
    replays = service.replays
    claim = replays.claim(caller, key, await _digest(request))
    if claim.run is not None:
        return response(claim.run)
    if claim.decided:  # what was chosen at a gate counts once, however often it is sent
        wanted = replace(wanted, decision=None)
    try:
        run = service.start(wanted)
    except BaseException:
        replays.drop(caller, key)
        raise
    return response(run, lambda: replays.settle(claim, run))


async def _digest(request: Request) -> bytes:
    """What a key belongs to: where it was sent, and the body it came with."""
    path = request.scope["path"].encode("utf-8", "surrogatepass")
    return hashlib.sha256(path + b"\n" + await request.body()).digest()


def run_request(service: Service, body: RunBody, caller: str) -> RunRequest:
    """The body of a caller as the executor takes it. Raises Problem or InvalidName."""
    return RunRequest(
        flow=flow_name(service, body.flow),
        input=body.input,
        story_id=story_id(body.story_id),
        inputs=body.inputs,
        documents=supplied_documents(body.documents),
        fresh=body.fresh,
        decision=_decision(body.decision),
        on_change=body.on_change,
        changed=tuple(_named(body.changed, "changed")),
        caller=caller,
    )


def _decision(body: DecisionBody | None) -> Decision | None:
    return None if body is None else Decision(**body.model_dump())


def flow_name(service: Service, name: str | None) -> str:
    """The flow that is meant. Raises Problem 422 with the names when none is."""
    if name is not None:
        return name_of("flow", name)
    if "default" in service.flows:
        return "default"
    if len(service.flows) == 1:
        return next(iter(service.flows))
    names = ", ".join(service.flows) or "none"
    raise Problem(422, "flow_required", f"say which flow to run; there are: {names}")


def supplied_documents(documents: Mapping[str, str]) -> dict[str, str]:
    """Documents by their names without `.md`. Raises InvalidName, or Problem for a twin."""
    supplied: dict[str, str] = {}
    for plain, text in zip(_named(documents, "documents"), documents.values(), strict=True):
        if plain in supplied:
            raise Problem(422, "invalid", "documents holds a name with and without .md")
        supplied[plain] = text
    return supplied


def _named(names: Iterable[str], field: str) -> Iterator[str]:
    """Documents' ids. Raises InvalidName that counts up to the one that is none, from 1."""
    for number, name in enumerate(names, 1):
        yield document_id(name, f"name {number} in {field}")
