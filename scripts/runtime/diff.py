"""What differs between two texts, as `diff -u` writes it and `patch` reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Final

CONTEXT: Final = 3
# Pairs of changed lines that are compared; beyond it all of them count as replaced, since to
# find the smallest difference could take for ever.
MAX_PAIRS: Final = 4_000_000

_Opcode = tuple[str, int, int, int, int]


def unified(before: str, after: str, names: tuple[str, str]) -> str:
    """The hunks that lead from one text to the other, empty when they are the same."""
    if before == after:
        return ""
    old, new = _lines(before), _lines(after)
    found = [f"--- {names[0]}\n", f"+++ {names[1]}\n"]
    for group in _Matcher(old, new).get_grouped_opcodes(CONTEXT):
        first, last = group[0], group[-1]
        spans = _span(first[1], last[2]), _span(first[3], last[4])
        found.append(f"@@ -{spans[0]} +{spans[1]} @@\n")
        found += _hunk(group, old, new)
    return "".join(found)


class _Matcher(SequenceMatcher[str]):
    """Compares only what lies between the lines that both begin and end with."""

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        self._old, self._new = old, new
        self._head = _common(old, new)
        self._tail = _common(old[self._head :][::-1], new[self._head :][::-1])
        self._ends = len(old) - self._tail, len(new) - self._tail
        super().__init__(None, old[self._head : self._ends[0]], new[self._head : self._ends[1]])

    def get_opcodes(self) -> list[_Opcode]:  # type: ignore[override]
        """As they are for the whole texts."""
        head, (old_end, new_end) = self._head, self._ends
        changed: list[_Opcode] = [("replace", head, old_end, head, new_end)]
        if (old_end - head) * (new_end - head) <= MAX_PAIRS:
            changed = [
                (tag, i1 + head, i2 + head, j1 + head, j2 + head)
                for tag, i1, i2, j1, j2 in super().get_opcodes()
            ]
        found: list[_Opcode] = [("equal", 0, head, 0, head)] if head else []
        found += changed
        if self._tail:
            found.append(("equal", old_end, len(self._old), new_end, len(self._new)))
        return found


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines both begin with."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _hunk(group: Sequence[_Opcode], old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    for tag, i1, i2, j1, j2 in group:
        if tag == "equal":
            yield from _marked(" ", old[i1:i2])
        else:
            yield from _marked("-", old[i1:i2])
            yield from _marked("+", new[j1:j2])


def _marked(mark: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        whole = line.endswith("\n")
        yield f"{mark}{line}" if whole else f"{mark}{line}\n\\ No newline at end of file\n"


def _span(start: int, end: int) -> str:
    length = end - start
    if length == 1:
        return f"{start + 1}"
    return f"{start + 1 if length else start},{length}"


def _lines(text: str) -> list[str]:
    """Only LF ends a line, as it does for `patch`."""
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines
