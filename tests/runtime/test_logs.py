"""Log lines: one event, one line, no texts of prompts, answers or faults."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.runtime import logs
from scripts.runtime.events import Event
from tests.process import clean_environment
from tests.project import ROOT

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
    assert set(written) == FIELDS | {"message", "request_id", "trace_id"}
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
    error = {"code": "output_invalid", "message": CANARY, "step": "a", "attempts": 3}
    answer = {"results": {"a": CANARY}, "error": error, "duration_ms": 5.0, "usage": {}}
    record = {"name": "agent:a#1", "agent": "a", "output": CANARY, "duration_ms": 4.0}
    written = run_lines(
        capsys,
        Event(1, "run.started", 0.0, None, {"flow": "one", "story_id": "S-1", "input": CANARY}),
        Event(2, "step.started", 0.0, "a", {"agent": "a", "visit": 1}),
        Event(3, "step.delta", 0.0, "a", {"text": CANARY}),
        Event(4, "step.tool", 0.0, "a", {"tool": "t", "status": "error", "error": CANARY}),
        Event(5, "step.retrying", 0.0, "a", {"attempt": 2, "wait_s": 1.0, "error": "busy"}),
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
    assert (failed["level"], failed["code"], failed["attempts"]) == ("error", "output_invalid", 3)


def test_the_level_decides_what_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("warning")
    logs.run_event(Event(1, "run.started", 0.0, None, {}), run_id="r", story_id="S")
    logs.run_event(Event(2, "run.failed", 0.0, None, {}), run_id="r", story_id="S")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_failed_step_and_run_say_why(capsys: pytest.CaptureFixture[str]) -> None:
    error = {"code": "model_failed", "message": "no connection to 127.0.0.1:9", "attempts": 3}
    written = run_lines(
        capsys,
        Event(1, "step.retrying", 0.0, "a", {"attempt": 2, "wait_s": 1.0, "error": "busy"}),
        Event(2, "step.failed", 0.0, "a", {"error": error}),
        Event(3, "run.failed", 0.0, None, {"answer": {"error": error}}),
    )
    said = ["busy", error["message"], error["message"]]
    assert [entry["error"] for entry in written] == said


def shown(message: str, level: int = logging.INFO, *, colour: bool = False, **facts: Any) -> str:
    record = logging.LogRecord(f"{logs.ROOT}.run", level, "x.py", 1, message, (), None)
    record.facts = facts
    return logs.TerminalFormatter(colour=colour).format(record)


def test_a_line_for_people_is_short() -> None:
    written = shown("step.completed", step="critic", duration_ms=12.04, action="revise", run_id="r")
    assert written.split()[1:] == [
        "info",
        "critic",
        "12.0",
        "ms",
        "step.completed",
        "action=revise",
    ]


def test_colour_is_for_what_is_wrong() -> None:
    assert "\x1b" not in shown("x", colour=True)
    assert shown("x", logging.ERROR, colour=True).startswith("\x1b[31m")
    assert "\x1b" not in shown("x", logging.ERROR, colour=False)


@given(st.text())
def test_a_line_for_people_is_one_line_and_moves_no_cursor(text: str) -> None:
    written = shown(text, error=text)
    assert written.isprintable()


@pytest.mark.parametrize("no_colour, coloured", [("", True), ("1", False)])
def test_a_terminal_gets_lines_for_people(no_colour: str, coloured: bool) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from scripts.runtime import logs\n"
        "logs.configure('info'); logs._log.error('hello')\n"
    )
    mine, its = os.openpty()
    environment = clean_environment({"NO_COLOR": no_colour})
    subprocess.run([sys.executable, "-c", code], stderr=its, env=environment, check=True)
    os.close(its)
    written = os.read(mine, 4096).decode()
    os.close(mine)
    assert "hello" in written
    assert "{" not in written
    assert ("\x1b[31m" in written) is coloured
