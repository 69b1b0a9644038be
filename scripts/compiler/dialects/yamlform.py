"""Values as YAML that our own strict reader reads back as they were, and that people read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ...runtime.yamltext import resolve

_PLAIN: Final = re.compile(r"[A-Za-z_][^\x00-\x1f:#\[\]{},&*!|>'\"%@`\\\x7f-\uffff]*")
_LONGEST_FLOW: Final = 80
# What YAML forbids or an editor would change; JSON's escapes are YAML's too.
_UNSEEN: Final = re.compile(
    "[\x7f-\x9f\xa0\xad\u200b-\u200f\u2028-\u202e\ud800-\udfff\ufeff\ufffe\uffff]"
)
_NO_BLOCK: Final = re.compile(
    "[^\t\n\x20-\x7e\xa1-\u1fff\u2010-\u2027\u2030-\ud7ff\ue000-\ufdff"
    "\ufe00-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|[ \t](?=\n|\\Z)"
)


class Line:
    """One line of text; `key` is the path of keys that it belongs to."""

    __slots__ = ("key", "text")

    def __init__(self, text: str, key: str = "") -> None:
        self.text = text
        self.key = key


def mapping(value: Mapping[str, Any], indent: int = 0, path: str = "") -> Iterator[Line]:
    """`key: value` lines for each key. TypeError for what YAML has no word for."""
    margin = " " * indent
    for key, inner in value.items():
        below = f"{path}/{key}" if path else key
        yield from _entry(f"{margin}{scalar(key)}:", inner, indent, below)


def sequence(values: list[Any], indent: int, path: str) -> Iterator[Line]:
    """`- value` lines."""
    margin = " " * indent
    for value in values:
        below = f"{path}/{_name(value)}"
        if isinstance(value, Mapping) and value:
            lines = list(mapping(value, indent + 2, below))
            first = lines[0]
            yield Line(f"{margin}- {first.text[indent + 2 :]}", below)
            yield from (Line(line.text, below) for line in lines[1:])
        else:
            yield from _entry(f"{margin}-", value, indent, below)


def _name(value: Any) -> str:
    """What the items of a list are told apart by: their text, or the first key of theirs."""
    if isinstance(value, Mapping):
        return str(next(iter(value), ""))
    return str(value)


def _entry(head: str, value: Any, indent: int, path: str) -> Iterator[Line]:
    if isinstance(value, Mapping) and value:
        if _is_short(value):
            yield Line(f"{head} {_flow(value)}", path)
            return
        yield Line(head, path)
        yield from mapping(value, indent + 2, path)
    elif isinstance(value, list | tuple) and value:
        if _is_short(value) and not any(isinstance(item, Mapping) for item in value):
            yield Line(f"{head} {_flow(value)}", path)
            return
        yield Line(head, path)
        yield from sequence(list(value), indent + 2, path)
    elif isinstance(value, str) and _fits_block(value):
        yield Line(f"{head} |" if value.endswith("\n") else f"{head} |-", path)
        margin = " " * (indent + 2)
        for line in value.removesuffix("\n").split("\n"):
            yield Line(f"{margin}{line}" if line else "", path)
    else:
        yield Line(f"{head} {_flow(value)}", path)


def _fits_block(text: str) -> bool:
    """Whether a text of several lines can stand as it is below its key."""
    body = text.removesuffix("\n")
    return (
        "\n" in body
        and not body.startswith((" ", "\t", "\n"))
        and not body.endswith("\n")
        and not _NO_BLOCK.search(body)
    )


def _is_short(value: Any) -> bool:
    """Whether it reads well on its key's line: small, flat, of plain words."""
    inner = value.values() if isinstance(value, Mapping) else value
    if any(isinstance(item, Mapping | list | tuple) for item in inner):
        return False
    return len(_flow(value)) <= _LONGEST_FLOW


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(k)}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return scalar(value)


def scalar(value: Any) -> str:
    """A value on one line, quoted where it has to be."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if not isinstance(value, str):
        raise TypeError(f"no YAML for {type(value).__name__}")
    is_plain = _PLAIN.fullmatch(value) and not value.endswith(" ") and resolve(value) == value
    if is_plain:
        return value
    if '"' in value and "'" not in value and value.isascii() and value.isprintable():
        return f"'{value}'"  # as a person would, instead of escaping
    return quoted(value)


def _number(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"


def quoted(text: str) -> str:
    """In double quotes, on one line."""
    body = json.dumps(text, ensure_ascii=False)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", body)
