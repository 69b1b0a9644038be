"""A compiled project as a real process: start, keys, stop, secrets, what it prints."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tests.conftest import MakeProject, StartService
from tests.process import clean_environment, free_port
from tests.project import Project

CONFIGURED_ONLY = (
    "sqlite3",
    "redis",
    "openai",
    "anthropic",
    "google.genai",
    "opentelemetry.sdk",
    "httpx2",
)
AGENTS = {
    "agents/analyst.md": "---\nid: analyst\ndescription: Finds facts.\n---\nFind the facts.\n",
    "agents/slow.md": "---\nid: slow\ntools: [nap]\n---\nSleep.\n",
    "workflow.yaml": "flows:\n  default:\n    sequence: [analyst]\n",
    "tools.yaml": "nap:\n  module: naps\n  call: nap\n",
    "tools/naps.py": '''
        import os

        with open("imported", "a") as marker:
            marker.write("x")


        def nap(seconds: float) -> str:
            """Wait."""
            return "rested"
        ''',
}


@pytest.fixture
def compiled(project: MakeProject) -> Project:
    made = project(AGENTS)
    made.generate()
    return made


def python(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env=clean_environment(environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_serves_and_says_so(compiled: Project, service: StartService) -> None:
    running = service(compiled.root)
    answer = running.run("an idea")
    assert answer.status_code == 200
    assert answer.json()["status"] == "success"
    assert running.client.get("/health").json()["llm"]["mock"] is True
    report = running.log
    assert running.base_url in report
    assert "mock" in report
    assert "curl " in report
    assert (compiled.root / "docs" / "S-1__analyst.md").is_file()
    assert (compiled.root / "memory" / "isolated" / "analyst_S-1.jsonl").is_file()


def test_a_bare_uvicorn_serves_it_too(compiled: Project, service: StartService) -> None:
    command = ("-m", "uvicorn", "generated.app:app", "--port", "{port}")
    running = service(compiled.root, command=command)
    assert running.run("an idea").status_code == 200
    running.stop()
    assert "Traceback" not in running.log


def test_nothing_is_imported_that_is_not_configured(compiled: Project) -> None:
    code = (
        "import asyncio, sys\n"
        "before = {*sys.modules}  # measuring coverage takes sqlite3\n"
        "import generated.app as a\n"
        "async def main():\n"
        "    async with a.app.router.lifespan_context(a.app):\n"
        "        new = {*sys.modules} - before\n"
        f"        print([name for name in {CONFIGURED_ONLY!r} if name in new])\n"
        "asyncio.run(main())\n"
    )
    done = python(compiled.root, "-c", code)
    assert done.stdout == "[]\n", done.stderr


def test_the_openapi_document_is_printed_and_always_the_same(compiled: Project) -> None:
    first = python(compiled.root, "-m", "generated", "openapi", PYTHONHASHSEED="1")
    second = python(compiled.root, "-m", "generated", "openapi", PYTHONHASHSEED="2", PORT="9")
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    document = json.loads(first.stdout)
    assert "/run" in document["paths"]
    assert str(compiled.root) not in first.stdout


@pytest.mark.parametrize("arguments", [("frobnicate",), ("--frobnicate",), ("openapi", "more")])
def test_misuse_exits_2_and_says_so(compiled: Project, arguments: tuple[str, ...]) -> None:
    done = python(compiled.root, "-m", "generated", *arguments)
    assert done.returncode == 2
    assert "usage" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_names_the_commands(compiled: Project) -> None:
    done = python(compiled.root, "-m", "generated", "--help")
    assert done.returncode == 0
    for word in ("serve", "openapi", "backup", "restore", "memory", "exit codes", "BMAD_DATA_DIR"):
        assert word in done.stdout
    of_one = python(compiled.root, "-m", "generated", "openapi", "--help")
    assert "Print the OpenAPI document as JSON." in of_one.stdout


@pytest.mark.parametrize(
    "environment, expected",
    [
        ({"HOST": "x", "LLM_PROVIDER": "opnai"}, "LLM_PROVIDER"),
        ({"PORT": "http"}, "PORT"),
        ({"BMAD_API_KEYS": "no-colon"}, "BMAD_API_KEYS"),
        ({"BMAD_API_KEYS": "a@tenant:key"}, "not supported yet"),
    ],
)
def test_a_setting_that_cannot_be_is_one_line(
    compiled: Project, environment: dict[str, str], expected: str
) -> None:
    done = python(compiled.root, "-m", "generated", **environment)
    assert done.returncode == 2, done.stderr
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_an_open_bind_without_keys_does_not_start(compiled: Project) -> None:
    compiled.write({"runtime.yaml": "server: {host: 0.0.0.0}\n"}, under="config")
    done = python(compiled.root, "-m", "generated", PORT=str(free_port()))
    assert done.returncode == 2
    assert "config/runtime.yaml:1: listening on 0.0.0.0" in done.stderr
    assert "BMAD_AUTH=off" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_taken_port_is_one_line(compiled: Project, service: StartService) -> None:
    running = service(compiled.root)
    done = python(compiled.root, "-m", "generated", PORT=str(running.port))
    assert done.returncode == 2
    assert str(running.port) in done.stderr
    assert "make run PORT=9000" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_tree_that_was_edited_does_not_start(compiled: Project) -> None:
    with (compiled.out / "agents" / "analyst.py").open("a") as module:
        module.write("# by hand\n")
    done = python(compiled.root, "-m", "generated")
    assert done.returncode == 2
    assert "agents/analyst.py" in done.stderr
    assert "Traceback" not in done.stderr


def test_sigterm_ends_it_by_itself(compiled: Project, service: StartService) -> None:
    running = service(compiled.root)
    running.run("an idea")
    assert running.stop() == 0
    assert "Traceback" not in running.log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_stream_with_a_last_event(
    compiled: Project, service: StartService, number: signal.Signals
) -> None:
    compiled.write({"runtime.yaml": "server: {drain_seconds: 0.2}\n"}, under="config")
    command = ("-c", SLOW_SERVICE)
    running = service(compiled.root, command=command)
    body = {"input": "x", "story_id": "S-1"}
    headers = {"accept": "text/event-stream"}
    with running.client.stream("POST", "/run", json=body, headers=headers) as answer:
        chunks = answer.iter_text()
        text = next(chunks)
        running.signal(number)
        text += "".join(chunks)
    assert "event: run.cancelled" in text
    assert text.endswith("\n\n")
    assert running.wait() == 0
    assert "Traceback" not in running.log


def test_a_second_signal_does_not_wait_for_runs(compiled: Project, service: StartService) -> None:
    compiled.write({"runtime.yaml": "server: {drain_seconds: 3000}\n"}, under="config")
    running = service(compiled.root, command=("-c", SLOW_SERVICE))
    body = {"input": "x", "story_id": "S-1"}
    headers = {"accept": "text/event-stream"}
    with running.client.stream("POST", "/run", json=body, headers=headers) as answer:
        chunks = answer.iter_text()
        next(chunks)
        running.signal(signal.SIGTERM)
        running.wait_until(lambda: _ready(running.base_url) == 503)
        running.signal(signal.SIGTERM)
        assert "event: run.cancelled" in "".join(chunks)
    assert running.wait() == 0


def _ready(base_url: str) -> int:
    with httpx2.Client(trust_env=False) as client:
        return client.get(f"{base_url}/health/ready").status_code


def test_a_bare_uvicorn_gives_streams_a_last_event_too(
    compiled: Project, service: StartService
) -> None:
    compiled.write({"runtime.yaml": "server: {drain_seconds: 0.2}\n"}, under="config")
    code = SLOW_SERVICE.replace(
        'main("generated", [])', 'import uvicorn; uvicorn.run("generated.app:app", port={port})'
    )
    running = service(compiled.root, command=("-c", code))
    body = {"input": "x", "story_id": "S-1"}
    headers = {"accept": "text/event-stream"}
    with running.client.stream("POST", "/run", json=body, headers=headers) as answer:
        chunks = answer.iter_text()
        text = next(chunks)
        running.signal(signal.SIGTERM)
        text += "".join(chunks)
    assert "event: run.cancelled" in text
    running.wait()
    assert "Traceback" not in running.log


# The generated command with a mock that never answers.
SLOW_SERVICE = """
import asyncio
from generated.runtime.models import mock
from generated.runtime.command import main

async def never(self, request):
    await asyncio.Event().wait()

async def never_any(self, request):
    await asyncio.Event().wait()
    yield

mock.MockLLM.complete = never
mock.MockLLM.stream = never_any
main("generated", [])
"""


# The same with a tool that sleeps for hours in its thread, behind what the tests look at.
STUCK_SERVICE = SLOW_SERVICE.replace(
    "await asyncio.Event().wait()",
    "import time; print('in a thread', flush=True); await asyncio.to_thread(time.sleep, 9000)",
)


def test_a_tool_that_sleeps_in_a_thread_does_not_hold_up_the_end(
    compiled: Project, service: StartService
) -> None:
    compiled.write({"runtime.yaml": "server: {drain_seconds: 0.2}\n"}, under="config")
    running = service(compiled.root, command=("-c", STUCK_SERVICE))
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(running.run, "an idea")
        running.wait_until(lambda: "in a thread" in running.log)
        running.signal(signal.SIGTERM)
        assert answer.result().status_code == 503
    assert running.wait() == 0
    lines = [json.loads(text) for text in running.log.splitlines() if text.startswith("{")]
    words = [line["message"] for line in lines]
    order = [words.index(word) for word in ("stopping", "run.cancelled", "POST /run", "stopped")]
    assert order == sorted(order)
    assert words[-1] == "stopped"
    assert "Traceback" not in running.log


def test_no_secret_reaches_any_output(compiled: Project, service: StartService) -> None:
    keys = {
        name: f"canary-{name.lower().replace('_', '-')}-{os.urandom(6).hex()}"
        for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "SOME_TOKEN")
    }
    caller = f"canary-caller-{os.urandom(6).hex()}"
    compiled.write({"secrets.env": "OPENAI_API_KEY=canary-from-a-file\n"}, under="config")
    environment = {**keys, "BMAD_API_KEYS": f"ci:{caller}", "LOG_LEVEL": "debug", "TESTING": "1"}
    running = service(compiled.root, environment)
    seen = [running.log]
    for headers in ({"x-api-key": caller}, {"x-api-key": caller + "x"}, {}):
        for path in ("/health", "/openapi.json", "/docs", "/agent", "/flow", "/doc", "/absent"):
            answer = running.client.get(path, headers=headers)
            seen += [answer.text, repr(answer.headers)]
        for body in ({"input": "canary-of-a-prompt", "story_id": "S-1"}, {"input": 5}):
            answer = running.client.post("/run", json=body, headers=headers)
            seen += [repr(answer.headers)]
    running.stop()
    seen.append(running.log)
    for canary in (*keys.values(), caller, "canary-from-a-file"):
        assert not any(canary in text for text in seen), canary
    assert "canary-of-a-prompt" not in running.log


def test_hostile_headers_and_ids_stay_one_line_of_the_log(
    compiled: Project, service: StartService
) -> None:
    running = service(compiled.root)
    for path in ("/doc/a%0d%0ab", "/doc/%1b[31m", "/agent/%e2%80%a8", "/doc/a%00"):
        running.client.get(
            path, headers=[(b"user-agent", b"a\xe2\x80\xa8b"), (b"x-request-id", b"\x1b")]
        )
    running.stop()
    lines = [text for text in running.log.split("\n") if text.startswith("{")]
    assert sum("GET /doc/" in text or "GET /agent/" in text for text in lines) == 4
    for text in lines:
        assert text.isascii()
        json.loads(text)


def test_docs_and_health_import_no_tool_of_the_author(compiled: Project) -> None:
    """`--check` runs nothing of the author's; serving imports tools once, at its start."""
    assert not (compiled.root / "imported").exists()
    assert compiled.compile("--check").returncode == 0
    assert not (compiled.root / "imported").exists()


def test_many_waiting_heads_do_not_stop_others(compiled: Project, service: StartService) -> None:
    import contextlib
    import socket

    running = service(compiled.root)
    with contextlib.ExitStack() as open_heads:
        for _ in range(200):
            client = socket.create_connection(("127.0.0.1", running.port), timeout=10)
            open_heads.callback(client.close)
            client.sendall(b"GET /health HTTP/1.1\r\nhost:")
        for _ in range(20):
            assert running.client.get("/health").status_code == 200
