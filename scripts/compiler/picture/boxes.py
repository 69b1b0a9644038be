"""What stands in a picture: shapes with lines of text, and how large that makes them."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Final, Literal

from ..labels import label
from ..layout import width
from ..model import Gate, Step, Subflow

Kind = Literal["agent", "gate", "flow", "end"]

COLUMN: Final = 8  # pixels of a character, at most
LINE: Final = 18  # of a line of text
_PADDING: Final = 12
_HIGH: Final = 18  # above and below the text, together
_LEAST: Final = 88
_COLUMNS: Final = 44
_GATE_COLUMNS: Final = 24
_GATE_LINES: Final = 3  # of its question


@dataclass(slots=True)
class Box:
    """A shape; `x` and `y` are its middle, set when it is placed.

    `title` is shown on pointing; `maybe` is what may be skipped.
    """

    id: str
    kind: Kind
    lines: tuple[str, ...]
    title: str = ""
    maybe: bool = False
    x: int = 0
    y: int = 0
    width: int = 0
    height: int = 0

    def __post_init__(self) -> None:
        wide = max(map(width, self.lines)) * COLUMN
        high = len(self.lines) * LINE
        if self.kind == "gate":  # a diamond holds a quarter of its area around its middle
            self.width, self.height = 2 * wide, 2 * high
        else:
            self.width, self.height = max(_LEAST, wide + 2 * _PADDING), high + _HIGH

    @property
    def top(self) -> int:
        return self.y - self.height // 2

    @property
    def bottom(self) -> int:
        return self.y + self.height // 2

    @property
    def left(self) -> int:
        return self.x - self.width // 2

    @property
    def right(self) -> int:
        return self.x + self.width // 2


def box_of(step: Step) -> Box:
    """A step; of a gate's question as much as a diamond holds, the rest on pointing."""
    first, *further = label(step)
    maybe = step.when is not None
    if isinstance(step, Gate):
        lines = [line for each in further for line in _wrapped(each, _GATE_COLUMNS)]
        if len(lines) > _GATE_LINES:
            lines = [*lines[: _GATE_LINES - 1], f"{lines[_GATE_LINES - 1][: _GATE_COLUMNS - 1]}…"]
        return Box(step.id, "gate", (first, *lines), " ".join(further), maybe)
    kind: Kind = "flow" if isinstance(step, Subflow) else "agent"
    lines = [line for each in further for line in _wrapped(each, _COLUMNS)]
    return Box(step.id, kind, (first, *lines), "", maybe)


def _wrapped(text: str, columns: int) -> list[str]:
    """Lines of so many columns; wide characters count twice."""
    narrow = columns if text.isascii() else columns // 2
    return textwrap.wrap(" ".join(text.split()), narrow, break_on_hyphens=False)
