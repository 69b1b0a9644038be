"""The order of a module's workflows: edges first, then phases, then the table's own order."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from typing import Final

from ...diagnostics import near_match, quoted
from ..tree import ForeignTree
from .helptable import Row

_NUMBER: Final = re.compile(r"(\d+)")
_PHASES: Final = {"analysis": 1, "plan": 2, "planning": 2, "solutioning": 3, "ship": 4}
_LATER: Final = {"implementation": 4, "build": 4, "execute": 4, "release": 5}


class Cycle(Exception):
    """Workflows that follow each other in a circle; `rows` begins and ends with the same one."""

    def __init__(self, rows: list[Row]) -> None:
        super().__init__(" → ".join(row.key for row in rows))
        self.rows = rows


def edges(tree: ForeignTree, rows: Sequence[Row], elsewhere: Container[str] = ()) -> list[set[int]]:
    """For each row the rows that come before it. One that is named and not there is told.

    Those of `elsewhere` are not: modules name what they follow in others, which have flows of
    their own.
    """
    by_key: dict[str, int] = {}
    for number, row in enumerate(rows):
        by_key.setdefault(row.key, number)
    for number, row in enumerate(rows):
        by_key.setdefault(row.skill, number)
    before: list[set[int]] = [set() for _ in rows]
    for number, row in enumerate(rows):
        for key, is_before in [(k, True) for k in row.after] + [(k, False) for k in row.before]:
            other = by_key.get(key)
            if other is None and key in elsewhere:
                continue
            if other is None:
                message = (
                    f"{quoted(row.key)} stands beside {quoted(key)}, which is not in the table"
                )
                at = tree.at(row.at.path, row.at.line)
                tree.diagnostics.add("BMAD639", at, message, near_match(key, by_key))
            elif other != number:
                before[number if is_before else other].add(other if is_before else number)
            else:
                raise Cycle([row, row])
    return before


def ordered(rows: Sequence[Row], before: list[set[int]]) -> list[int]:
    """The rows' numbers in the order of running; raises Cycle.

    Rows go by phase; what has to come before one goes just before it.
    """
    _refuse_circles(rows, before)
    done: dict[int, None] = {}
    for number in sorted(range(len(rows)), key=lambda each: (_rank(rows[each]), each)):
        waiting = [number]
        while waiting:
            left = before[waiting[-1]] - done.keys()
            if left:
                waiting.append(min(left, key=lambda each: (_rank(rows[each]), each)))
            else:
                done.setdefault(waiting.pop())
    return list(done)


def _refuse_circles(rows: Sequence[Row], before: list[set[int]]) -> None:
    left = set(range(len(rows)))
    while left:
        ready = {number for number in left if not before[number] & left}
        if not ready:
            raise Cycle([rows[number] for number in _circle(before, left)])
        left -= ready


def _rank(row: Row) -> tuple[int, int]:
    number = _NUMBER.match(row.phase)
    phase = int(number[1]) if number else {**_PHASES, **_LATER}.get(row.phase, 9)
    sequence = int(row.sequence) if row.sequence.isdigit() and len(row.sequence) < 9 else 0
    return phase, sequence


def _circle(before: list[set[int]], left: set[int]) -> list[int]:
    """One circle, in the order of running."""
    path = [min(left)]
    while True:
        following = min(before[path[-1]] & left)
        if following in path:
            return [*path[path.index(following) :], following][::-1]
        path.append(following)
