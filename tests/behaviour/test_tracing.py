"""Spans of a real service: OpenTelemetry's variables, a collector that is up, down or back."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from tests.collector import collecting
from tests.conftest import MakeProject, StartService
from tests.process import free_port
from tests.project import Project
from tests.service import Service, refused_start

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
BODY = {"input": "an idea", "story_id": "S-1"}
FILES = {
    "agents/analyst.md": "---\nid: analyst\n---\nFind the facts.\n",
    "agents/writer.md": "---\nid: writer\n---\nWrite them down.\n",
}


@pytest.fixture
def compiled(project: MakeProject) -> Project:
    made = project(FILES)
    made.generate()
    return made


def lines(running: Service) -> list[dict[str, Any]]:
    return [json.loads(line) for line in running.log.splitlines() if line.startswith("{")]


def said(running: Service, message: str) -> list[dict[str, Any]]:
    return [line for line in lines(running) if line["message"].startswith(message)]


def test_spans_are_sent_before_the_service_ends(compiled: Project, service: StartService) -> None:
    compiled.write({"secrets.env": "OTEL_EXPORTER_OTLP_HEADERS=api-key=top%20secret\n"}, "config")
    with collecting() as collector:
        asked = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_SERVICE_NAME": "stories",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
            "OTEL_BSP_SCHEDULE_DELAY": "3600000",
        }
        running = service(compiled.root, asked)
        assert running.client.post("/run", json=BODY, headers=PARENT).status_code == 200
        assert collector.spans == []
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
    assert collector.tree() == [
        (
            "POST /run",
            [
                (
                    "invoke_workflow default",
                    [
                        ("invoke_agent analyst", [("chat mock", [])]),
                        ("invoke_agent writer", [("chat mock", [])]),
                    ],
                )
            ],
        )
    ]
    assert {span.trace for span in collector.spans} == {TRACE}
    assert collector.resource["service.name"] == "stories"
    assert collector.resource["deployment.environment.name"] == "test"
    assert collector.headers[0]["api-key"] == "top secret"
    assert "secret" not in running.log
    assert len(lines(running)) >= 4
    assert {line["trace_id"] for line in lines(running) if line["request_id"]} == {TRACE}


def test_a_collector_may_be_down_and_come_back(compiled: Project, service: StartService) -> None:
    port = free_port()
    asked = {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://127.0.0.1:{port}/v1/traces?key=top-secret",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "0.2",
        "OTEL_BSP_SCHEDULE_DELAY": "20",
    }
    running = service(compiled.root, asked)
    for number in range(5):
        assert running.run("an idea", story_id=f"S-{number}").status_code == 200
    running.wait_until(lambda: said(running, "spans do not arrive") != [])
    with collecting(port):

        def arrived() -> bool:
            running.client.get("/agent")
            return said(running, "spans arrive again") != []

        running.wait_until(arrived)
    assert len(said(running, "spans do not arrive")) == 1
    assert said(running, "spans arrive again")[0]["lost"] > 0
    assert "secret" not in running.log


def test_a_sampler_decides(compiled: Project, service: StartService) -> None:
    with collecting() as collector:
        asked = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": "0",
        }
        running = service(compiled.root, asked)
        assert running.run("an idea").status_code == 200
        assert running.client.get("/agent", headers=PARENT).status_code == 200
        assert running.stop() == 0
    assert [span.name for span in collector.spans] == ["GET /agent"]


def test_lines_name_the_callers_trace_without_any_tracing(
    compiled: Project, service: StartService
) -> None:
    running = service(compiled.root)
    assert running.client.post("/run", json=BODY, headers=PARENT).status_code == 200
    assert running.client.get("/agent").status_code == 200
    broken = {"traceparent": f"00-{'0' * 32}-b7ad6b7169203331-01"}
    assert running.client.get("/flow", headers=broken).status_code == 200
    assert running.stop() == 0
    found = {line["message"]: line["trace_id"] for line in lines(running)}
    assert found["run.completed"] == found["step.completed"] == found["POST /run"] == TRACE
    assert found["GET /agent"] is None
    assert found["GET /flow"] is None


@pytest.mark.parametrize(
    "module", ["opentelemetry.sdk.trace", "opentelemetry.exporter.otlp", "requests"]
)
def test_without_the_packages_the_start_says_what_to_install(
    compiled: Project, module: str
) -> None:
    told = refused_start(
        compiled.root, without=module, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:4318"
    )
    assert "OTEL_EXPORTER_OTLP_ENDPOINT: spans need the package opentelemetry-sdk" in told
    assert "pip install -r generated/requirements-otel.txt" in told


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "spans are sent as http/protobuf only"),
        ("OTEL_TRACES_EXPORTER", "zipkin", "spans are exported by otlp"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=1,top-secret", "entry 2 is not"),
        ("OTEL_TRACES_SAMPLER", "half", "should be 'always_on'"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5", "less than or equal to 1"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:top-secret@h", "should not hold a user name"),
        ("OTEL_SDK_DISABLED", "perhaps", "should be"),
    ],
)
def test_what_cannot_be_is_refused(compiled: Project, name: str, value: str, told: str) -> None:
    asked = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", name: value}
    line = refused_start(compiled.root, **asked)
    assert f"{name}: " in line
    assert told in line
    assert "secret" not in line
