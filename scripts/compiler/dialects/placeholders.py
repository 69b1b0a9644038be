"""Placeholders in foreign texts: replaced by rules of ours, never by a template engine.

    {planning_artifacts}   {agent.role}   {skill-root}   the value, where one is declared
    {config_source}:user_name                            the setting of that name
    {{story_key}}                                        the value, where a variable is declared

What is not declared stays as it stands, for the model to fill in: so do `${x}`, `{ x }` and all
other braces. `{date}` always stays: a compiled prompt that held today's would be wrong
tomorrow. A text is gone through once, and values are resolved before they are used, each to a
bounded depth, so that nothing a value brings in is looked at twice, and a circle ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

MAX_DEPTH: Final = 8
MAX_VALUE: Final = 20_000  # characters
KEPT: Final = frozenset({"date"})

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*"
_PLACEHOLDER: Final = re.compile(
    rf"\{{\{{[ ]?(?P<variable>{_NAME})[ ]?\}}\}}"
    rf"|(?<![{{$\\])\{{(?P<name>{_NAME})\}}(?!\}})(?:(?<=\{{config_source\}}):(?P<setting>[A-Za-z_][A-Za-z0-9_-]*))?"
)


class Left(NamedTuple):
    """A placeholder that stays for the model, and the line of the text on which it stands."""

    name: str
    line: int


class Resolved(NamedTuple):
    """A text with its values; `left` names what stays, in the order of the text."""

    text: str
    left: tuple[Left, ...]


class Placeholders:
    """What names stand for. `values` are for `{name}`, `variables` for `{{name}}`."""

    def __init__(
        self, values: Mapping[str, str], variables: Mapping[str, str] | None = None
    ) -> None:
        self._raw = {name: value for name, value in values.items() if name not in KEPT}
        self._variables = dict(variables or {})
        self._values: dict[str, str] = {}
        self._open: set[str] = set()

    def with_values(self, more: Mapping[str, str]) -> Placeholders:
        """The same, with `more` before what was known."""
        return Placeholders({**self._raw, **more}, self._variables)

    def value(self, name: str) -> str | None:
        """What `{name}` stands for, itself resolved; None when nothing is declared."""
        return self._value(name, 0)

    def resolve(self, text: str) -> Resolved:
        """`text` with every declared placeholder replaced."""
        if "{" not in text:
            return Resolved(text, ())
        left: list[Left] = []
        parts: list[str] = []
        end = 0
        for found, value in self._found(text, 0):
            if value is None:
                name = found["variable"] or found["setting"] or found["name"]
                left.append(Left(name, text.count("\n", 0, found.start()) + 1))
                continue
            parts += (text[end : found.start()], value)
            end = found.end()
        return Resolved("".join((*parts, text[end:])) if parts else text, tuple(left))

    def _found(self, text: str, depth: int) -> Iterator[tuple[re.Match[str], str | None]]:
        for found in _PLACEHOLDER.finditer(text):
            if found["variable"] is not None:
                yield found, self._variables.get(found["variable"])
            else:
                yield found, self._value(found["setting"] or found["name"], depth)

    def _value(self, name: str, depth: int) -> str | None:
        if name in self._values:
            return self._values[name]
        raw = self._raw.get(name)
        if raw is None or depth > MAX_DEPTH or name in self._open:
            return None
        self._open.add(name)
        value = self._values[name] = self._filled(raw, depth + 1)
        self._open.discard(name)
        return value

    def _filled(self, raw: str, depth: int) -> str:
        parts: list[str] = []
        end = length = 0
        for found, value in self._found(raw, depth):
            if value is not None and length < MAX_VALUE:
                parts += (raw[end : found.start()], value)
                length += len(parts[-1]) + len(parts[-2])
                end = found.end()
        return "".join((*parts, raw[end:]))[:MAX_VALUE]


def names(text: str) -> frozenset[str]:
    """Every name that stands in single braces somewhere in `text`."""
    return frozenset(found["name"] for found in _PLACEHOLDER.finditer(text) if found["name"])
