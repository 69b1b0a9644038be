"""The name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near(name: str, known: Iterable[str]) -> str | None:
    """`did you mean …?` for a name that is almost one of those known, and is none of them.

    Case is no difference here: `PRD` is almost `prd`.
    """
    by_folded: dict[str, str] = {}
    for each in known:
        if each != name:
            by_folded.setdefault(each.casefold(), each)
    close = difflib.get_close_matches(name.casefold(), by_folded, n=1)
    return f"did you mean {by_folded[close[0]]}?" if close else None


def aside(hint: str | None) -> str:
    """A hint as it stands behind a message, nothing without one."""
    return f" ({hint})" if hint else ""
