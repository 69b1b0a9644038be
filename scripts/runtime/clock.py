"""Time and run ids as clients see them: RFC 3339 in UTC, UUIDv7."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from functools import lru_cache


def rfc3339(seconds: float) -> str:
    """Unix seconds as `2026-01-02T03:04:05.678Z`."""
    return _written(round(seconds * 1_000_000) // 1000)


@lru_cache(256)  # most of what is written down happened in this millisecond, or the last
def _written(millis: int) -> str:
    seconds, rest = divmod(millis, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:-6]}.{rest:03}Z"


def seconds_of(text: str) -> float:
    """The Unix seconds of what `rfc3339` writes. Raises ValueError."""
    return datetime.fromisoformat(text).timestamp()


_latest: tuple[int, str] = (-1, "")


def now() -> str:
    """The present moment as `rfc3339` writes it."""
    global _latest  # noqa: PLW0603 - every record has one, and many are of the same millisecond
    millis = time.time_ns() // 1_000_000
    known, text = _latest
    if millis != known:
        text = _written(millis)
        _latest = millis, text
    return text


def uuid7() -> str:
    """A new UUID that sorts by time (RFC 9562, 5.7: 48 bits of milliseconds, then random)."""
    millis = time.time_ns() // 1_000_000
    noise = int.from_bytes(os.urandom(10), "big")
    value = (millis & (1 << 48) - 1) << 80 | 0x7 << 76 | (noise >> 68 & 0xFFF) << 64
    value |= 0b10 << 62 | noise & (1 << 62) - 1
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
