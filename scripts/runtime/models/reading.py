"""Fields of what an SDK made of an answer, read without trusting their shape."""

from __future__ import annotations

from typing import Any


def items(holder: object, name: str) -> list[Any]:
    """The list, empty when there is none."""
    found = getattr(holder, name, None)
    return found if isinstance(found, list) else []


def text(holder: object, name: str) -> str:
    """The text, empty when there is none."""
    return clean(getattr(holder, name, None))


def count(holder: object, name: str) -> int:
    """The number of tokens, 0 when it is missing or makes no sense."""
    found = getattr(holder, name, None)
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else 0


def clean(value: object) -> str:
    """Text that can be stored: a lone surrogate, which JSON lets through, becomes `?`."""
    if not isinstance(value, str):
        return ""
    return value if value.isascii() else value.encode(errors="replace").decode()
