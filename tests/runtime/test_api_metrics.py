"""GET /metrics: what Prometheus reads, who may read it, and that it can be closed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from scripts.runtime.errors import ModelError
from tests.project import ROOT

from .agents import Scripted
from .api import Served, application, serve
from .test_api_auth import KEY, KEYS


def samples(served: Served) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = served.client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(served: Served, name: str, **labels: str) -> float | None:
    return samples(served).get((name, frozenset(labels.items())))


def test_runs_requests_and_the_present_are_told(tmp_path: Path) -> None:
    with serve(application(tmp_path)) as served:
        assert served.run().status_code == 200
        assert served.client.get("/doc/absent").status_code == 404
        assert served.client.head("/agent/analyst").status_code == 200
        assert served.client.get("/nowhere").status_code == 404
        found = samples(served)

    def of(name: str, **labels: str) -> float | None:
        return found.get((name, frozenset(labels.items())))

    requests = "bmad_http_request_seconds_count"
    assert of(requests, method="POST", route="/run", status="200") == 1
    assert of(requests, method="GET", route="/doc/{id}", status="404") == 1
    assert of(requests, method="HEAD", route="/agent/{id}", status="200") == 1
    assert of(requests, method="GET", route="none", status="404") == 1
    assert of("bmad_run_seconds_count", flow="one", status="success") == 1
    assert of("bmad_step_seconds_count", flow="one", step="analyst", agent="analyst") == 1
    assert of("bmad_model_answers_total", provider="mock", model="mock") == 1
    tokens = of("bmad_model_tokens_total", provider="mock", model="mock", kind="output")
    assert tokens is not None
    assert tokens > 0
    assert of("bmad_runs_active") == 0
    assert of("bmad_ready") == 1
    assert of("bmad_breaker_open", provider="mock") == 0
    assert of("bmad_queue_waiting", reason="concurrency", provider="") == 0
    assert (of("bmad_tasks") or 0) >= 1
    assert of("process_open_fds") is not None or sys.platform != "linux"


def test_buckets_add_up(tmp_path: Path) -> None:
    with serve(application(tmp_path)) as served:
        served.run()
        found = samples(served)
    buckets = {
        float(dict(labels)["le"]): count
        for (name, labels), count in found.items()
        if name == "bmad_run_seconds_bucket"
    }
    assert list(buckets.values()) == sorted(buckets.values())
    assert buckets[float("inf")] == 1


def test_a_provider_that_is_down_shows(tmp_path: Path) -> None:
    down = ModelError("down", provider="scripted", http_status=500)
    app = application(tmp_path, model=Scripted({"analyst": down}))
    with serve(app) as served:
        for number in range(5):
            assert served.run(input=f"n{number}").status_code == 502
        assert value(served, "bmad_breaker_open", provider="scripted") == 1
        failures = {"flow": "one", "step": "analyst", "code": "model_failed"}
        assert value(served, "bmad_step_failures_total", **failures) == 5
        assert value(served, "bmad_run_seconds_count", flow="one", status="error") == 5


def test_one_agent_alone_is_a_run_too(tmp_path: Path) -> None:
    with serve(application(tmp_path)) as served:
        body = {"input": "x", "story_id": "S-1"}
        assert served.client.post("/agent/analyst/run", json=body).status_code == 200
        runs = {"flow": "agent:analyst", "status": "success"}
        assert value(served, "bmad_run_seconds_count", **runs) == 1


def test_openmetrics_for_who_asks(tmp_path: Path) -> None:
    with serve(application(tmp_path)) as served:
        headers = {"accept": "application/openmetrics-text; version=1.0.0"}
        answer = served.client.get("/metrics", headers=headers)
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        assert answer.text.endswith("# EOF\n")
        plain = served.client.get("/metrics")
        assert plain.headers["content-type"].startswith("text/plain; version=")


@pytest.mark.parametrize(
    ("setting", "without", "with_key"), [("open", 200, 200), ("key", 401, 200), ("off", 401, 404)]
)
def test_who_may_read_it(tmp_path: Path, setting: str, without: int, with_key: int) -> None:
    settings: dict[str, Any] = {"server": {"metrics": setting}, "secrets": {"api_keys": KEYS}}
    with serve(application(tmp_path, settings=settings)) as served:
        assert served.client.get("/metrics").status_code == without
        headers = {"x-api-key": KEY}
        assert served.client.get("/metrics", headers=headers).status_code == with_key


def test_the_library_is_imported_by_who_asks_only(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from tests.runtime.api import application, serve
with serve(application(Path({str(tmp_path)!r}))) as served:
    assert served.run().status_code == 200
    assert "prometheus_client" not in sys.modules
    assert served.client.get("/metrics").status_code == 200
    assert "prometheus_client" in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
