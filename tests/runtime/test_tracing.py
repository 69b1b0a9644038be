"""Spans of a served run, as a collector receives them: names, nesting, status, and no text."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from scripts.runtime.errors import ModelError, SettingsError
from scripts.runtime.flow import AnyFlow, Flow
from scripts.runtime.group import ParallelGroup
from scripts.runtime.models.protocol import ModelReply, ModelRequest, ToolCall, Usage
from scripts.runtime.settings import Settings
from scripts.runtime.subflow import Subflow
from scripts.runtime.tool import Tool
from scripts.runtime.tracing.select import make_tracing
from tests.collector import ERROR, Collector, collecting
from tests.process import free_port

from .agents import Scripted, agent, chain
from .api import application, serve

A, B, C = agent("a", retries=3), agent("b"), agent("c")
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
INTERNAL, SERVER, CLIENT = 1, 2, 3


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found


def flow(build: Any) -> dict[str, Flow]:
    return {"one": Flow("one", build)}


def traced(root: Path, collector: Collector, **options: Any) -> Any:
    settings = {"tracing": {"endpoint": collector.url}, **options.pop("settings", {})}
    return serve(application(root, settings=settings, **options))


def test_a_run_holds_its_agents_and_they_their_calls(tmp_path: Path, collector: Collector) -> None:
    usage = Usage(70, 30, 20)
    model = Scripted({"a": ModelReply("done", usage=usage, model="scripted-1-0613")})
    with traced(tmp_path, collector, model=model, flows=flow(lambda: chain(A(), B()))) as served:
        run_id = served.run().json()["run_id"]
    assert collector.tree() == [
        (
            "POST /run",
            [
                (
                    "invoke_workflow one",
                    [
                        ("invoke_agent a", [("chat scripted-1", [])]),
                        ("invoke_agent b", [("chat scripted-1", [])]),
                    ],
                )
            ],
        )
    ]
    ours = {"bmad2pf.run.id": run_id, "gen_ai.conversation.id": "S-1"}
    run = collector.named("invoke_workflow one")
    assert run.kind == INTERNAL
    assert run.status != ERROR
    assert run.attributes == {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": "one",
        "bmad2pf.run.status": "completed",
        **ours,
    }
    step = collector.named("invoke_agent a")
    assert step.kind == INTERNAL
    assert step.attributes == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.id": "a",
        "gen_ai.agent.name": "a",
        "bmad2pf.step.id": "a",
        "bmad2pf.step.visit": 1,
        "gen_ai.provider.name": "scripted",
        "gen_ai.response.model": "scripted-1-0613",
        "gen_ai.usage.input_tokens": 70,
        "gen_ai.usage.output_tokens": 30,
        "gen_ai.usage.cache_read.input_tokens": 20,
        **ours,
    }
    chat = next(span for span in collector.spans if span.parent == step.id)
    assert chat.kind == CLIENT
    assert chat.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "scripted",
        "gen_ai.request.model": "scripted-1",
        "gen_ai.agent.name": "a",
        "gen_ai.response.model": "scripted-1-0613",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 70,
        "gen_ai.usage.output_tokens": 30,
        "gen_ai.usage.cache_read.input_tokens": 20,
    }
    assert run.start <= step.start <= chat.start <= chat.end <= run.end
    assert {"service.name": "bmad2pf"}.items() <= collector.resource.items()


def test_the_callers_trace_goes_on(tmp_path: Path, collector: Collector) -> None:
    with traced(tmp_path, collector, model=Scripted()) as served:
        body = {"input": "an idea", "story_id": "S-1", "flow": "one"}
        assert served.client.post("/run", json=body, headers=PARENT).status_code == 200
        assert served.client.get("/doc/absent?a=query-text", headers=PARENT).status_code == 422
    request = collector.named("POST /run")
    assert {span.trace for span in collector.spans} == {TRACE}
    assert request.parent == CALLER
    assert request.kind == SERVER
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["http.route"] == "/run"
    refused = collector.named("GET /doc/{id}")
    assert refused.attributes["url.path"] == "/doc/absent"
    assert refused.status != ERROR
    assert not any(b"query-text" in body for body in collector.bodies)


def test_a_caller_that_does_not_sample_is_followed(tmp_path: Path, collector: Collector) -> None:
    with traced(tmp_path, collector, model=Scripted()) as served:
        headers = {"traceparent": f"00-{TRACE}-{CALLER}-00"}
        served.client.get("/agent", headers=headers)
        served.client.get("/flow")
    assert [span.name for span in collector.spans] == ["GET /flow"]


def test_health_and_metrics_are_not_drawn(tmp_path: Path, collector: Collector) -> None:
    with traced(tmp_path, collector, model=Scripted()) as served:
        for path in ("/health", "/health/ready", "/metrics", "/agent"):
            assert served.client.get(path).status_code == 200
    assert [span.name for span in collector.spans] == ["GET /agent"]


def test_members_of_a_group_stand_beside_each_other(tmp_path: Path, collector: Collector) -> None:
    both = threading.Barrier(2)

    async def meet(request: ModelRequest) -> str:
        await asyncio.to_thread(both.wait, 20)
        return "met"

    model = Scripted({"a": meet, "b": meet})
    flows = flow(lambda: chain(ParallelGroup(A(), B()), C()))
    with traced(tmp_path, collector, model=model, flows=flows) as served:
        assert served.run().status_code == 200
    run = collector.named("invoke_workflow one")
    a, b, c = (collector.named(f"invoke_agent {name}") for name in "abc")
    assert [a.parent, b.parent, c.parent] == [run.id] * 3
    assert max(a.start, b.start) < min(a.end, b.end)
    calls = collector.all_named("chat scripted-1")
    assert {call.parent for call in calls} == {a.id, b.id, c.id}
    assert c.start >= max(a.end, b.end)


def test_each_attempt_is_a_call_of_its_own(tmp_path: Path, collector: Collector) -> None:
    busy = ModelError("prompt-text", provider="scripted", http_status=503, retryable=True)
    busy.retry_after = 0.0
    model = Scripted({"a": [busy, "at last"]})
    with traced(tmp_path, collector, model=model, flows=flow(lambda: chain(A()))) as served:
        assert served.run().status_code == 200
    first, second = sorted(collector.all_named("chat scripted-1"), key=lambda span: span.start)
    assert first.status == ERROR
    assert first.attributes["error.type"] == busy.code
    assert second.status != ERROR
    step = collector.named("invoke_agent a")
    assert step.status != ERROR
    ((name, facts),) = step.events
    assert (name, facts["bmad2pf.attempt"]) == ("step.retrying", 1)


def test_a_failed_step_fails_its_run(tmp_path: Path, collector: Collector) -> None:
    gone = ModelError("no such model: prompt-text", provider="scripted", http_status=404)
    model = Scripted({"b": gone})
    with traced(tmp_path, collector, model=model, flows=flow(lambda: chain(A(), B()))) as served:
        assert served.run().status_code == 502
    failed = {span.name for span in collector.spans if span.status == ERROR}
    assert {"POST /run", "invoke_workflow one", "invoke_agent b"} <= failed
    assert collector.named("invoke_agent a").status != ERROR
    run = collector.named("invoke_workflow one")
    assert run.attributes["bmad2pf.run.status"] == "failed"
    assert run.attributes["error.type"] == gone.code
    assert collector.named("POST /run").attributes["error.type"] == "502"
    assert {span.message for span in collector.spans} == {""}


def look_up(word: str) -> str:
    if word == "fail":
        raise ValueError("tool-text")
    return f"{word}: tool-text"


SCHEMA: Mapping[str, Any] = {"type": "object", "properties": {"word": {"type": "string"}}}


def test_tools_stand_below_their_agent(tmp_path: Path, collector: Collector) -> None:
    tool = Tool("look_up", look_up, "Look a word up.", SCHEMA)
    calls = (
        ToolCall("1", "look_up", '{"word": "prompt-text"}'),
        ToolCall("2", "look_up", '{"word": "fail"}'),
        ToolCall("3", "prompt-text", "{}"),
    )
    model = Scripted({"d": [ModelReply("", calls, finish_reason="tool_calls"), "done"]})
    user = agent("d", tools=("look_up",))
    options = {"agents": (user,), "tools": (tool,), "flows": flow(lambda: chain(user()))}
    with traced(tmp_path, collector, model=model, **options) as served:
        assert served.run().status_code == 200, served.service
    step = collector.named("invoke_agent d")
    below = [span for span in collector.spans if span.parent == step.id]
    tools = [span for span in below if span.name.startswith("execute_tool")]
    assert sorted((span.name, span.status == ERROR) for span in tools) == [
        ("execute_tool look_up", False),
        ("execute_tool look_up", True),
        ("execute_tool other", True),
    ]
    for span in tools:
        assert step.start <= span.start <= span.end <= step.end
        assert span.attributes["gen_ai.operation.name"] == "execute_tool"
    first = min((s for s in below if s.name.startswith("chat")), key=lambda span: span.start)
    assert first.attributes["gen_ai.response.finish_reasons"] == ["tool_calls"]


def test_a_flow_in_a_flow_is_a_workflow_again(tmp_path: Path, collector: Collector) -> None:
    def inner() -> AnyFlow:
        return chain(B(), C())

    flows = flow(lambda: chain(A(), Subflow("inner", inner)))
    with traced(tmp_path, collector, model=Scripted(), flows=flows) as served:
        assert served.run().status_code == 200
    sub = collector.named("invoke_workflow inner")
    assert sub.parent == collector.named("invoke_workflow one").id
    assert collector.named("invoke_agent b").parent == sub.id
    assert collector.named("invoke_agent c").parent == sub.id
    assert collector.named("invoke_agent b").attributes["bmad2pf.step.id"] == "inner.b"


def test_items_are_told_apart(tmp_path: Path, collector: Collector) -> None:
    lister = agent("lister", output={"type": "object", "required": ["words"]})
    flows = flow(lambda: chain(lister(), A(for_each=("lister", "words"), max_items=9)))
    model = Scripted({"lister": '{"words": ["x", "y"]}'})
    with traced(tmp_path, collector, model=model, flows=flows) as served:
        assert served.run().status_code == 200
    items = collector.all_named("invoke_agent a")
    assert sorted(span.attributes["bmad2pf.step.item"] for span in items) == [0, 1]
    parents = {span.parent for span in collector.all_named("chat scripted-1")}
    assert {span.id for span in items} <= parents


def test_an_agent_alone_is_in_no_workflow(tmp_path: Path, collector: Collector) -> None:
    with traced(tmp_path, collector, model=Scripted()) as served:
        body = {"input": "an idea", "story_id": "S-1"}
        assert served.client.post("/agent/analyst/run", json=body).status_code == 200
    names = ["POST /agent/{id}/run", "invoke_agent analyst", "chat scripted-1"]
    assert sorted(span.name for span in collector.spans) == sorted(names)
    assert collector.named(names[1]).parent == collector.named(names[0]).id


def test_a_run_that_is_left_ends_its_spans(tmp_path: Path, collector: Collector) -> None:
    asked = threading.Event()

    async def hang(request: ModelRequest) -> str:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    with traced(tmp_path, collector, model=Scripted({"analyst": hang})) as served:
        body = {"input": "an idea", "story_id": "S-1", "flow": "one"}
        headers = {"accept": "text/event-stream"}
        with served.client.stream("POST", "/run", json=body, headers=headers):
            assert asked.wait(20)
        served.until(lambda: not served.service.executor.active)
    for name in ("invoke_workflow one", "invoke_agent analyst", "chat scripted-1"):
        span = collector.named(name)
        assert span.status == ERROR
        assert span.attributes["error.type"] == "cancelled"
    assert collector.named("invoke_workflow one").attributes["bmad2pf.run.status"] == "cancelled"
    assert collector.named("chat scripted-1").attributes["gen_ai.request.stream"] is True


def test_a_run_that_waits_has_not_failed(tmp_path: Path, collector: Collector) -> None:
    with traced(tmp_path, collector, model=Scripted()) as served:
        assert served.run(flow="two").json()["status"] == "pending"
    run = collector.named("invoke_workflow two")
    assert run.attributes["bmad2pf.run.status"] == "pending"
    assert {span.name for span in collector.spans if span.status == ERROR} == set()


def test_no_text_leaves(tmp_path: Path, collector: Collector) -> None:
    said = agent("e", prompt="prompt-text", description="prompt-text")
    model = Scripted({"e": "answer-text"})
    settings = {"tracing": {"endpoint": collector.url, "headers": "x-key=se%20cret"}}
    options = {"agents": (said,), "flows": flow(lambda: chain(said())), "settings": settings}
    with traced(tmp_path, collector, model=model, **options) as served:
        assert served.run(input="input-text", documents={"prd": "doc-text"}).status_code == 200
    assert collector.spans
    for text in (b"prompt-text", b"answer-text", b"input-text", b"doc-text", b"cret"):
        assert not any(text in body for body in collector.bodies)
    assert collector.headers[0]["x-key"] == "se cret"


def test_a_collector_that_is_down_costs_no_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = {"tracing": {"endpoint": f"http://127.0.0.1:{free_port()}"}}
    with serve(application(tmp_path, model=Scripted(), settings=settings)) as served:
        for number in range(5):
            assert served.run(story_id=f"S-{number}").status_code == 200
    assert "HTTPConnectionPool" not in caplog.text


@pytest.mark.parametrize(
    ("tracing", "where"),
    [
        ({"endpoint": "http://h", "protocol": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL"),
        (
            {"endpoint": "http://h", "traces_protocol": "grpc", "protocol": "http/protobuf"},
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
        ),
        ({"exporter": "zipkin"}, "OTEL_TRACES_EXPORTER"),
    ],
)
def test_what_is_not_built_is_refused(tracing: dict[str, Any], where: str) -> None:
    with pytest.raises(SettingsError) as refused:
        make_tracing(Settings.model_validate({"tracing": tracing}))
    assert refused.value.where == where


@pytest.mark.parametrize(
    "tracing",
    [
        {},
        {"service_name": "x"},
        {"endpoint": "http://h", "disabled": True, "protocol": "grpc"},
        {"endpoint": "http://h", "exporter": "none"},
    ],
)
def test_nothing_is_drawn_unless_it_goes_somewhere(tracing: dict[str, Any]) -> None:
    assert make_tracing(Settings.model_validate({"tracing": tracing})) is None


def test_where_spans_go() -> None:
    def url(**tracing: Any) -> str | None:
        return Settings.model_validate({"tracing": tracing}).tracing.url

    assert url(endpoint="http://h:1/base/") == "http://h:1/base/v1/traces"
    assert url(traces_endpoint="http://h:1/own", endpoint="http://other") == "http://h:1/own"
    assert url(exporter="otlp") == "http://localhost:4318/v1/traces"
