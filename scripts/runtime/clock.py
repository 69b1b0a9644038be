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
    return f"{_second(millis // 1000)}.{millis % 1000:03}Z"


@lru_cache(256)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:-6]


def seconds_of(text: str) -> float:
    """The Unix seconds of what `rfc3339` writes. Raises ValueError."""
    return datetime.fromisoformat(text).timestamp()


def now() -> str:
    """The present moment as `rfc3339` writes it."""
    return _written(time.time_ns() // 1_000_000)


def uuid7() -> str:
    """A new UUID that sorts by time (RFC 9562, 5.7: 48 bits of milliseconds, then random)."""
    millis = time.time_ns() // 1_000_000
    noise = int.from_bytes(os.urandom(10), "big")
    value = (millis & (1 << 48) - 1) << 80 | 0x7 << 76 | (noise >> 68 & 0xFFF) << 64
    value |= 0b10 << 62 | noise & (1 << 62) - 1
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
