"""How values break into lines, the way ruff and black would break them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from .literals import string

WIDTH: Final = 88
_DIGITS: Final = re.compile(r"([0-9]+)")
# Fixed, not unicodedata's: the same sources give the same bytes under every Python.
_WIDE: Final = re.compile(
    "[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f"
    "\uff00-\uff60\uffe0-\uffe6\U0001f300-\U0001faff\U00020000-\U0003fffd]"
)


@dataclass(frozen=True, slots=True)
class Code:
    """Source that we wrote: a name or an expression, never an author's text."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """`function(*arguments, **keywords)`."""

    function: str
    arguments: tuple[object, ...] = ()
    keywords: tuple[tuple[str, object], ...] = ()


def width(text: str) -> int:
    """The columns that `text` fills."""
    if text.isascii():
        return len(text)
    return len(text) + len(_WIDE.findall(text))


def flat(value: object) -> str:
    """`value` on one line. TypeError for what has no literal."""
    if isinstance(value, Code):
        return value.text
    if isinstance(value, str):
        return string(value)
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    opening, items, closing = _parts(value)
    inner = ", ".join(prefix + flat(item) for prefix, item in items)
    if isinstance(value, tuple) and len(value) == 1:
        inner += ","
    return opening + inner + closing


def lay_out(value: object, indent: int = 0, before: int = 0, after: int = 0) -> str:
    """`value` as source that stands after `before` columns of a line indented by `indent`.

    `after` is how many columns must follow on its last line.
    """
    line = flat(value)
    if before + width(line) + after <= WIDTH or value is None:
        return line
    if isinstance(value, str | Code | int | float):
        return line
    opening, items, closing = _parts(value)
    if not items:
        return line
    margin = " " * (indent + 4)
    lines = [
        f"{margin}{prefix}{lay_out(item, indent + 4, indent + 4 + width(prefix), 1)},"
        for prefix, item in items
    ]
    return "\n".join([opening, *lines, " " * indent + closing])


def assignment(name: str, value: object, indent: int = 0) -> str:
    """The statement `name = value`, indented."""
    margin, before = " " * indent, indent + len(name) + 3
    source = lay_out(value, indent, before)
    if _unbreakable(value) and before + width(source) > WIDTH >= indent + 4 + width(source):
        source = f"(\n{margin}    {source}\n{margin})"
    elif isinstance(value, Call) and before + width(source.partition("\n")[0]) > WIDTH:
        inner = lay_out(value, indent + 4, indent + 4)
        source = f"(\n{margin}    {inner}\n{margin})"
    return f"{margin}{name} = {source}"


def fits(name: str, text: str, indent: int) -> bool:
    """Whether `name = "text"` stays on one line."""
    return indent + len(name) + 3 + width(string(text)) <= WIDTH


def names_import(module: str, names: Iterable[str]) -> str:
    """`from module import names`, in isort's order: what is renamed stands on a line of its own."""
    ordered = sorted(set(names), key=_import_key)
    plain = [name for name in ordered if " as " not in name]
    parts = [[name] for name in ordered if " as " in name] + ([plain] if plain else [])
    parts.sort(key=lambda part: _import_key(part[0]))
    return "\n".join(_one_import(module, part) for part in parts)


def _one_import(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if width(line) <= WIDTH:
        return line
    return "\n".join([f"from {module} import (", *(f"    {name}," for name in names), ")"])


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key that puts `level_10` after `level_2`, as import sorters do."""
    parts = _DIGITS.split(name.lower())
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts if part)


def _import_key(name: str) -> tuple[int, object, str]:
    bare = name.split(" ", maxsplit=1)[0]
    kind = 0 if bare.isupper() and len(bare) > 1 else 1 if bare[:1].isupper() else 2
    return (kind, natural(bare), name)


def _unbreakable(value: object) -> bool:
    return isinstance(value, str | Code) or (isinstance(value, Call) and not _parts(value)[1])


def _parts(value: object) -> tuple[str, list[tuple[str, object]], str]:
    if isinstance(value, Call):
        arguments = [("", item) for item in value.arguments]
        keywords = [(f"{key}=", item) for key, item in value.keywords]
        return f"{value.function}(", arguments + keywords, ")"
    if isinstance(value, tuple):
        return "(", [("", item) for item in value], ")"
    if isinstance(value, list):
        return "[", [("", item) for item in value], "]"
    if isinstance(value, Mapping):
        return "{", [(f"{flat(key)}: ", item) for key, item in value.items()], "}"
    raise TypeError(f"no literal for {type(value).__name__}")
