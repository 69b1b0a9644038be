"""Log lines: one event, one line, no texts of prompts, answers or faults."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.runtime import logs
from scripts.runtime.events import Event

FIELDS = {"timestamp", "level", "component", "agent", "story_id", "run_id", "duration_ms"}
CANARY = "sk-canary-of-a-secret"


def line(message: str, *arguments: object, error: BaseException | None = None) -> str:
    info = (type(error), error, error.__traceback__) if error else None
    name = f"{logs.ROOT}.test"
    record = logging.LogRecord(name, logging.INFO, "x.py", 1, message, arguments, info)
    return logs.JSONFormatter().format(record)


@given(st.text())
def test_any_message_is_one_line_of_ascii(text: str) -> None:
    written = line("%s", text)
    assert written.isascii()
    assert len(written.splitlines()) == 1
    assert json.loads(written)["message"] == text


def test_a_line_has_all_fields() -> None:
    written = json.loads(line("hello"))
    assert set(written) == FIELDS | {"message", "request_id"}
    assert (written["level"], written["component"]) == ("info", "test")


def test_of_a_fault_only_kind_and_places_are_written() -> None:
    logging.getLogger(logs.ROOT).setLevel(logging.INFO)
    try:
        try:
            raise KeyError(CANARY)
        except KeyError as inner:
            raise RuntimeError(CANARY) from inner
    except RuntimeError as error:
        written = line("fault", error=error)
    assert CANARY not in written
    fault = json.loads(written)["error"]
    assert (fault["kind"], fault["causes"]) == ("RuntimeError", ["KeyError"])
    assert "test_logs.py" in fault["at"][0]


def run_lines(capsys: pytest.CaptureFixture[str], *events: Event) -> list[dict[str, Any]]:
    logs.configure("debug")
    for event in events:
        logs.run_event(event, run_id="r-1", story_id="S-1")
    return [json.loads(text) for text in capsys.readouterr().err.splitlines()]


def test_run_events_become_lines_without_their_texts(capsys: pytest.CaptureFixture[str]) -> None:
    error = {"code": "model_failed", "message": CANARY, "step": "a", "attempts": 3}
    answer = {"results": {"a": CANARY}, "error": error, "duration_ms": 5.0, "usage": {}}
    record = {"name": "agent:a#1", "agent": "a", "output": CANARY, "duration_ms": 4.0}
    written = run_lines(
        capsys,
        Event(1, "run.started", 0.0, None, {"flow": "one", "story_id": "S-1", "input": CANARY}),
        Event(2, "step.started", 0.0, "a", {"agent": "a", "visit": 1}),
        Event(3, "step.delta", 0.0, "a", {"text": CANARY}),
        Event(4, "step.tool", 0.0, "a", {"tool": "t", "status": "error", "error": CANARY}),
        Event(5, "step.retrying", 0.0, "a", {"attempt": 2, "wait_s": 1.0, "error": CANARY}),
        Event(6, "step.completed", 0.0, "a", {**record, "model": "m", "usage": {"calls": 1}}),
        Event(7, "step.failed", 0.0, "a", {"error": error}),
        Event(8, "run.failed", 0.0, None, {"answer": answer}),
    )
    assert CANARY not in json.dumps(written)
    messages = [entry["message"] for entry in written]
    assert messages == [
        "run.started",
        "step.started",
        "step.tool",
        "step.retrying",
        "step.completed",
        "step.failed",
        "run.failed",
    ]
    assert all((entry["run_id"], entry["story_id"]) == ("r-1", "S-1") for entry in written)
    completed, failed = written[4], written[-1]
    assert (completed["agent"], completed["duration_ms"]) == ("a", 4.0)
    assert (failed["level"], failed["code"], failed["attempts"]) == ("error", "model_failed", 3)


def test_the_level_decides_what_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("warning")
    logs.run_event(Event(1, "run.started", 0.0, None, {}), run_id="r", story_id="S")
    logs.run_event(Event(2, "run.failed", 0.0, None, {}), run_id="r", story_id="S")
    assert len(capsys.readouterr().err.splitlines()) == 1
