"""The documents as data: their fenced blocks, their tables, and whether an answer fits one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.project import ROOT

README: Final = ROOT / "README.md"
GUIDE: Final = ROOT / "docs" / "guide"
CUT: Final = "…"
MEASURED: Final = ("duration_ms", "uptime", "score")

_BLOCK = re.compile(r"^```(?P<kind>[a-z]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_CELL = re.compile(r"(?<!\\)\|")
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line that opens it."""

    kind: str
    text: str
    line: int

    @property
    def is_request(self) -> bool:
        return self.kind == "sh" and self.text.startswith("curl ")


def blocks(path: Path) -> list[Block]:
    """All fenced blocks of a document, in order."""
    text = path.read_text(encoding="utf-8")
    return [
        Block(found["kind"], found["text"], text.count("\n", 0, found.start()) + 1)
        for found in _BLOCK.finditer(text)
    ]


def requests(path: Path) -> list[tuple[Block, Block | None]]:
    """Each curl with the answer that the document shows below it, if it shows one."""
    found = blocks(path)
    followers: list[Block | None] = [*found[1:], None]
    return [
        (block, after if after is not None and after.kind in ("json", "text") else None)
        for block, after in zip(found, followers, strict=True)
        if block.is_request
    ]


def table(path: Path, first: str, second: str) -> Iterator[list[str]]:
    """The rows of every table whose header begins with these two cells."""
    inside = False
    for line in path.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in _CELL.split(line)[1:-1]]
        if cells[:2] == [first, second]:
            inside = True
        elif not cells:
            inside = False
        elif inside and not set(line) <= set("|- "):
            yield cells


def codes(cell: str) -> list[str]:
    """What stands between backticks."""
    return [code.replace("\\|", "|") for code in _CODE.findall(cell)]


def fits(shown: Any, real: Any) -> bool:
    """Whether a shown value is the real one, but for what is cut and what differs by nature.

    A text is cut where it has `…`; a list or an object goes on where it ends with `…`.
    Durations and sizes need only be numbers.
    """
    if isinstance(shown, str):
        return isinstance(real, str) and _text_fits(shown, real)
    if isinstance(shown, dict):
        return isinstance(real, dict) and _object_fits(shown, real)
    if isinstance(shown, list):
        return isinstance(real, list) and _list_fits(shown, real)
    return type(shown) is type(real) and bool(shown == real)


def _text_fits(shown: str, real: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in shown.split(CUT))
    return re.fullmatch(pattern, real, re.DOTALL) is not None


def _object_fits(shown: dict[str, Any], real: dict[str, Any]) -> bool:
    named = {key: value for key, value in shown.items() if key != CUT}
    if CUT not in shown and named.keys() != real.keys():
        return False
    return all(
        key in real
        and ((key in MEASURED and isinstance(real[key], int | float)) or fits(value, real[key]))
        for key, value in named.items()
    )


def _list_fits(shown: Sequence[Any], real: Sequence[Any]) -> bool:
    if shown and shown[-1] == CUT:
        shown, real = shown[:-1], real[: len(shown) - 1]
    return len(shown) == len(real) and all(map(fits, shown, real))


def answer_fits(shown: Block, output: str) -> bool:
    """Whether what curl printed is what the document shows: JSON as values, text by its lines."""
    if shown.kind == "json":
        return fits(json.loads(shown.text), json.loads(output))
    return _text_fits(shown.text.rstrip("\n"), output.replace("\r\n", "\n").rstrip("\n"))
