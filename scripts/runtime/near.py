"""The name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near(name: str, known: Iterable[str]) -> str | None:
    """`did you mean …?` for a name that is almost one of those known, and is none of them."""
    close = [each for each in difflib.get_close_matches(name, list(known), n=2) if each != name]
    return f"did you mean {close[0]}?" if close else None


def aside(hint: str | None) -> str:
    """A hint as it stands behind a message, nothing without one."""
    return f" ({hint})" if hint else ""
