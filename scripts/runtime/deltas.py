"""A model's text on its way to whoever follows a run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Final

QUIET: Final = 0.02  # seconds in which further pieces are joined

_START: Final = '"answer"'


class Deltas:
    """Sends the first piece at once, then joins what comes within `QUIET` seconds."""

    __slots__ = ("_pending", "_send", "_timer")

    def __init__(self, send: Callable[[str], None]) -> None:
        self._send = send
        self._pending: list[str] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, text: str) -> None:
        """A piece, in order."""
        if not text:
            return
        if self._timer is not None:
            self._pending.append(text)
            return
        self._send(text)
        self._timer = asyncio.get_running_loop().call_later(QUIET, self._due)

    def _due(self) -> None:
        self._timer = None
        if self._pending:
            text = "".join(self._pending)
            self._pending.clear()
            self.add(text)

    def close(self) -> None:
        """Send what is left; nothing comes after."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._pending:
            self._send("".join(self._pending))
            self._pending.clear()


class AnswerText:
    """The text of `answer` in the JSON `{"answer": "…", "action": "…"}` while it is written.

    Text that is not such an object is handed on as it is.
    """

    __slots__ = ("_buffer", "_state")

    def __init__(self) -> None:
        self._buffer = ""
        self._state = "start"

    def feed(self, piece: str) -> str:
        """What can be shown of this piece."""
        if self._state == "plain":
            return piece
        self._buffer += piece
        if self._state == "start" and not self._enter():
            return self._plain()
        return self._string() if self._state == "string" else ""

    def _plain(self) -> str:
        if self._state != "plain":
            return ""
        text, self._buffer = self._buffer, ""
        return text

    def _enter(self) -> bool:
        """Whether the answer's string has begun; turns to plain text where it never will."""
        text = self._buffer.lstrip()
        if text and text[0] != "{":
            self._state = "plain"
            return False
        body = text[1:].lstrip()
        if not body.startswith(_START):
            if not _START.startswith(body):
                self._state = "plain"
            return False
        rest = body[len(_START) :].lstrip()
        if rest[:1] == ":" and rest[1:].lstrip()[:1] == '"':
            self._buffer = rest[1:].lstrip()[1:]
            self._state = "string"
            return True
        return False

    def _string(self) -> str:
        end = self._closed()
        if end is not None:
            text, self._buffer, self._state = self._buffer[:end], "", "done"
        else:
            safe = self._whole()
            text, self._buffer = self._buffer[:safe], self._buffer[safe:]
        try:
            return str(json.loads(f'"{text}"', strict=False))
        except ValueError:  # the server's JSON is broken: what comes of it is said at the end
            return ""

    def _closed(self) -> int | None:
        place = 0
        while place < len(self._buffer):
            if self._buffer[place] == "\\":
                place += 2
            elif self._buffer[place] == '"':
                return place
            else:
                place += 1
        return None

    def _whole(self) -> int:
        """How far the buffer holds whole escapes: pairs of surrogates are never cut."""
        place = 0
        while place < len(self._buffer):
            size = 1
            if self._buffer[place] == "\\":
                size = self._escape(place)
            if place + size > len(self._buffer):
                break
            place += size
        return place

    def _escape(self, place: int) -> int:
        if self._buffer[place + 1 : place + 2] != "u":
            return 2
        code = self._buffer[place + 2 : place + 4].lower()
        high = len(code) < 2 or "d8" <= code <= "db"
        return 12 if high and self._may_pair(place + 6) else 6

    def _may_pair(self, place: int) -> bool:
        return "\\u".startswith(self._buffer[place : place + 2])
