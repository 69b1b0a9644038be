"""Names that nobody has yet, short enough for an id whatever they were made of."""

from __future__ import annotations

from collections.abc import Container
from itertools import chain, count
from typing import Final

from ...runtime import spec

_ROOM: Final = 6  # for a dash and a number


def untaken(taken: Container[str], *names: str) -> str:
    """The first of `names` that is free, else the last with a number behind.

    `taken` holds names as `spec.id_key` gives them; `names` are ids, the last is not empty.
    """
    start = names[-1][: spec.MAX_ID - _ROOM].rstrip("-_")
    numbered = (f"{start}-{number}" for number in count(2))
    return next(each for each in chain(names, numbered) if each and spec.id_key(each) not in taken)
