"""Log lines on stderr: one JSON object a line, or short lines for people on a terminal.

No line holds a prompt, an answer, a document or a secret: run events are cut down to
their facts here, and of an unforeseen fault only its kind and places are written (its text
too at LOG_LEVEL=debug, which is not for production).
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TextIO

from .clock import rfc3339
from .events import Event

ROOT: Final = __package__ or "runtime"  # what every getLogger(__name__) of the runtime is under
REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
TRACE_ID: ContextVar[str | None] = ContextVar("trace_id", default=None)  # 32 hex digits

_log = logging.getLogger(f"{ROOT}.run")
_FIELDS: Final = ("agent", "story_id", "run_id", "duration_ms")
_FACTS: Final = {
    "step.completed": ("action", "model", "provider", "usage"),
    "step.reused": ("action", "reason"),
    "step.tool": ("tool", "status"),
    "step.retrying": ("attempt", "wait_s"),
}
_LEVELS: Final = {
    "step.delta": logging.NOTSET,
    "step.started": logging.DEBUG,
    "step.retrying": logging.WARNING,
    "step.failed": logging.ERROR,
    "run.failed": logging.ERROR,
    "run.cancelled": logging.WARNING,
}
_FAULTS: Final = frozenset({"step.failed", "step.retrying"})  # a tool's text is its author's
_QUOTES_THE_ANSWER: Final = frozenset({"output_invalid"})
_MAX_FAULT: Final = 500  # characters of a fault's message
_COLOURS: Final = {"DEBUG": "2", "WARNING": "33", "ERROR": "31", "CRITICAL": "31"}
_SHOWN: Final = ("status", "action", "tool", "attempt", "wait_s", "pending_docs", "code", "error")


class JSONFormatter(logging.Formatter):
    """A record as one line of ASCII JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "timestamp": rfc3339(record.created),
            "level": record.levelname.lower(),
            "component": record.name.removeprefix(f"{ROOT}."),
        }
        facts = getattr(record, "facts", {})
        line |= {field: facts.get(field) for field in _FIELDS}
        line["message"] = record.getMessage()
        line["request_id"] = facts.get("request_id") or REQUEST_ID.get()
        line["trace_id"] = TRACE_ID.get()
        line |= {key: value for key, value in facts.items() if key not in line}
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = describe(record.exc_info[1])
            if logging.getLogger(ROOT).isEnabledFor(logging.DEBUG):
                line["error"]["text"] = str(record.exc_info[1])
        return json.dumps(line, default=str)


class TerminalFormatter(logging.Formatter):
    """A record as a short line: time, level, step, milliseconds, message, what it is about."""

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self.colour = colour

    def format(self, record: logging.LogRecord) -> str:
        facts = getattr(record, "facts", {})
        took = facts.get("duration_ms")
        line = " ".join(
            [
                time.strftime("%H:%M:%S", time.localtime(record.created)),
                f"{record.levelname.lower():8}",
                f"{facts.get('step') or '-':18}",
                f"{took:9.1f} ms" if isinstance(took, int | float) else " " * 12,
                "",
                record.getMessage(),
                *(f"{name}={facts[name]}" for name in _SHOWN if facts.get(name)),
                *_shown_fault(record),
            ]
        )
        line = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)
        code = _COLOURS.get(record.levelname) if self.colour else None
        return f"\x1b[{code}m{line}\x1b[0m" if code else line


def _shown_fault(record: logging.LogRecord) -> list[str]:
    if not record.exc_info or record.exc_info[1] is None:
        return []
    fault = describe(record.exc_info[1])
    return [fault["kind"], *(f"at {place}" for place in fault["at"][-1:])]


def describe(error: BaseException) -> dict[str, Any]:
    """The kind of a fault and the places it passed; its text may hold what must not be logged."""
    kinds: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(kinds) < 5:
        kinds.append(type(cause).__qualname__)
        cause = cause.__cause__
    return {"kind": kinds[0], "causes": kinds[1:], "at": _places(error.__traceback__)}


def _places(trace: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(trace)[-12:]
    return [f"{'/'.join(Path(f.filename).parts[-2:])}:{f.lineno} {f.name}" for f in frames]


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what sys.stderr is now, not to what it was at import."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def configure(level: str, *, everything: bool = False) -> None:
    """Send our lines to stderr; with `everything`, also those of the server and the libraries."""
    handler = _Stderr()
    handler.setFormatter(_formatter())
    ours = logging.getLogger(ROOT)
    ours.handlers = [handler]
    ours.propagate = False
    ours.setLevel(level.upper())
    if everything:
        logging.root.handlers = [handler]
        logging.root.setLevel(max(ours.level, logging.WARNING))


def _formatter() -> logging.Formatter:
    if sys.stderr.isatty():
        return TerminalFormatter(colour=not os.environ.get("NO_COLOR"))
    return JSONFormatter()


def stopped() -> None:
    """The last line of a service that was told to end."""
    logging.getLogger(f"{ROOT}.api.service").info("stopped")


def silent_types() -> frozenset[str]:
    """The types of events of which no line would be written now."""
    return _silent(_log.getEffectiveLevel())


@cache
def _silent(least: int) -> frozenset[str]:
    levels = {**dict.fromkeys(("run.started", "run.completed", *_FACTS), logging.INFO), **_LEVELS}
    return frozenset(type for type, level in levels.items() if level < least)


def run_event(event: Event, *, run_id: str, story_id: str) -> None:
    """Write the line of a run's event, without any text of prompts or answers."""
    level = _LEVELS.get(event.type, logging.INFO)
    if level == logging.NOTSET or not _log.isEnabledFor(level):
        return
    data = event.data
    facts: dict[str, Any] = {"story_id": story_id, "run_id": run_id, "step": event.step}
    facts |= {key: data.get(key) for key in ("agent", "duration_ms") if key in data}
    facts |= {key: data[key] for key in _FACTS.get(event.type, ()) if key in data}
    if event.type.startswith("run."):
        facts |= _outcome(data.get("answer"))
    elif event.type in _FAULTS:
        facts |= _fault(data.get("error"))
    _log.log(level, event.type, extra={"facts": facts})


def _outcome(answer: Mapping[str, Any] | None) -> dict[str, Any]:
    if answer is None:
        return {}
    facts = {key: answer.get(key) for key in ("duration_ms", "usage", "pending_docs")}
    return facts | (_fault(answer["error"]) if answer.get("error") else {})


def _fault(error: object) -> dict[str, Any]:
    """Code, message and attempts of a fault; no message that quotes the model's answer."""
    if isinstance(error, str):
        return {"error": error[:_MAX_FAULT]}
    if not isinstance(error, Mapping):
        return {}
    code, message = error.get("code"), error.get("message")
    facts = {"code": code, "attempts": error.get("attempts")}
    if isinstance(message, str) and code not in _QUOTES_THE_ANSWER:
        facts["error"] = message[:_MAX_FAULT]
    return facts
