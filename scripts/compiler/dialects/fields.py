"""Reads the keys of one mapping with their types, and reports what does not fit."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable
from collections.abc import Mapping as Table
from typing import Final, TypeAlias

from ...runtime import spec
from ...runtime.yamltext import Mapping, Node, Scalar, Sequence
from ..diagnostics import Diagnostics, Position, near_match, quoted

Hints: TypeAlias = Table[str, str]

_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0e-\x1f\ud800-\udfff]")
_NOT_ONE_LINE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SHOWN: Final = 60
_NO_HINTS: Final[Hints] = {}
_YES: Final = frozenset({"yes", "y", "on", "1", "true"})
_NO: Final = frozenset({"no", "n", "off", "0", "false"})
ID_HINT: Final = (
    f"use letters and digits, with single - or _ between them, at most {spec.MAX_ID} characters"
)
DOCUMENT_HINT: Final = (
    "use letters, digits, dots, - and _, beginning with a letter or a digit, "
    f"at most {spec.MAX_DOCUMENT_ID} characters"
)


def kind_of(node: Node) -> str:
    """What a value is, in words."""
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    if node.value is None:
        return "empty"
    if isinstance(node.value, bool):
        return f"the truth value {node.text}"
    what = "text" if isinstance(node.value, str) else "number"
    return f"the {what} {quoted(node.text)}"


def stray_character(text: str) -> int | None:
    """The index of the first control character or lone surrogate; TAB, CR, LF, FF are fine."""
    found = _CONTROL.search(text)
    return found.start() if found else None


class Fields:
    """The keys of `node`, a mapping of the file `path`. A key without a value counts as absent."""

    def __init__(self, node: Mapping, path: str, diagnostics: Diagnostics) -> None:
        self.path = path
        self.node = node
        self.diagnostics = diagnostics
        self.keys = {key.text: key for key, _ in node.entries}
        self.values = {
            key.text: value
            for key, value in node.entries
            if not (isinstance(value, Scalar) and value.value is None)
        }

    def place(self, node: Node) -> Position:
        return Position(self.path, node.line, node.column)

    def at(self, key: str) -> Position:
        """The place of the key's value, else of the key, else of the mapping."""
        return self.place(self.values.get(key) or self.keys.get(key) or self.node)

    def add(self, code: str, node: Node, message: str, hint: str = "") -> None:
        self.diagnostics.add(code, self.place(node), message, hint)

    def check_keys(
        self,
        known: Collection[str],
        not_yet: Collection[str],
        where: str,
        hints: Hints = _NO_HINTS,
    ) -> None:
        """Report keys that are neither known nor `x-…`; `where` says of what they are keys.

        `hints` are for those that belong elsewhere.
        """
        for name, key in self.keys.items():
            if name in not_yet:
                message = f"{quoted(name)} is not supported yet {where}"
                self.add("BMAD199", key, message, "remove it for now")
            elif name not in known and not name.startswith("x-"):
                all_known = f"known keys are {', '.join(sorted(known))}"
                hint = hints.get(name) or near_match(name, known) or all_known
                self.add("BMAD108", key, f"unknown key {quoted(name)} {where}", hint)

    def wrong_type(self, name: str, node: Node, wanted: str, hint: str = "") -> None:
        if not hint and wanted.startswith("text") and isinstance(node, Scalar):
            hint = f"put it in quotes: {quoted(node.text)}"
        self.add(
            "BMAD109", node, f"{quoted(name)} should be {wanted}, but is {kind_of(node)}", hint
        )

    def text(self, key: str, hint: str = "") -> str | None:
        """A text of any length; None when absent or refused."""
        node = self.values.get(key)
        return None if node is None else self.text_of(key, node, hint)

    def text_of(self, name: str, node: Node, hint: str = "") -> str | None:
        """The text of a node that stands under `name`."""
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            self.wrong_type(name, node, "text", hint)
            return None
        stray = stray_character(node.value)
        if stray is not None:
            code = f"U+{ord(node.value[stray]):04X}"
            message = f"{quoted(name)} holds the control character {code}"
            self.add("BMAD115", node, message, "remove it")
            return None
        return node.value

    def line(self, key: str) -> str | None:
        """A single line without control characters, stripped; None when absent or refused."""
        text = self.text(key)
        if text is None:
            return None
        text = text.strip()
        if _NOT_ONE_LINE.search(text):
            message = f"{quoted(key)} should be one line without control characters"
            self.add("BMAD110", self.values[key], message, "put what is longer into the prompt")
            return None
        return text

    def boolean(self, key: str) -> bool | None:
        node = self.values.get(key)
        if node is None:
            return None
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        word = node.text.lower() if isinstance(node, Scalar) else ""
        meant = "true" if word in _YES else "false" if word in _NO else ""
        self.wrong_type(key, node, "true or false", f"write {meant}" if meant else "")
        return None

    def integer(self, key: str, low: int, high: int) -> int | None:
        """A whole number from `low` to `high`."""
        value = self._number(key, "a whole number", whole=True)
        if value is None or low <= value <= high:
            return None if value is None else int(value)
        self._out_of_range(key, f"from {low:,} to {high:,}")
        return None

    def number(self, key: str, low: float, high: float, *, above: bool = False) -> float | None:
        """A finite number from `low` (with `above`: greater than it) to `high`."""
        value = self._number(key, "a number", whole=False)
        if value is None:
            return None
        if value > high or value < low or (above and value == low):
            allowed = f"above {low:g} and at most" if above else f"from {low:g} to"
            self._out_of_range(key, f"{allowed} {high:,g}")
            return None
        return value

    def _number(self, key: str, wanted: str, *, whole: bool) -> float | None:
        node = self.values.get(key)
        if node is None:
            return None
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong_type(key, node, wanted)
        elif not math.isfinite(value) or (whole and not isinstance(value, int)):
            text = quoted(node.text) if isinstance(node, Scalar) else ""
            self.add("BMAD109", node, f"{quoted(key)} should be {wanted}, not {text}")
        else:
            return value
        return None

    def _out_of_range(self, key: str, allowed: str) -> None:
        node = self.values[key]
        text = quoted(node.text) if isinstance(node, Scalar) else ""
        self.add("BMAD110", node, f"{quoted(key)} is {text}", f"allowed is a number {allowed}")

    def choice(self, key: str, allowed: Iterable[str]) -> str | None:
        """One of `allowed`."""
        text = self.text(key)
        if text is None or text in allowed:
            return text
        message = f"{quoted(text)} is no value of {key} ({', '.join(allowed)})"
        self.add("BMAD110", self.values[key], message, near_match(text, allowed))
        return None

    def mapping(self, key: str, hint: str = "") -> Fields | None:
        """The fields of a nested mapping."""
        node = self.values.get(key)
        if node is None:
            return None
        if isinstance(node, Mapping):
            return Fields(node, self.path, self.diagnostics)
        self.wrong_type(key, node, "a mapping", hint)
        return None

    def items(self, key: str, hint: str = "") -> tuple[Node, ...]:
        """The nodes of a list."""
        node = self.values.get(key)
        if node is None:
            return ()
        if isinstance(node, Sequence):
            return node.items
        if not hint and isinstance(node, Scalar):
            hint = f"write a list: [{node.text}]" if len(node.text) < _SHOWN else "write a list"
        self.wrong_type(key, node, "a list", hint)
        return ()

    def texts(self, key: str) -> dict[str, Node]:
        """The texts of a list in order, each with its place; one that stands twice is reported."""
        found: dict[str, Node] = {}
        for item in self.items(key):
            text = self.text_of(key, item)
            if text is None:
                continue
            if text in found:
                self.add(
                    "BMAD110", item, f"{quoted(text)} stands twice in {quoted(key)}", "keep one"
                )
            found.setdefault(text, item)
        return found

    def ids(self, key: str, what: str) -> dict[str, Node]:
        """As `texts`, each of them an id."""
        found = self.texts(key)
        for text, node in found.items():
            if not spec.is_id(text):
                self.add("BMAD111", node, f"{quoted(text)} cannot name {what}", ID_HINT)
        return found

    def documents(self, key: str) -> dict[str, Node]:
        """As `texts`, each a document's name, given without `.md`."""
        named: dict[str, Node] = {}
        for text, node in self.texts(key).items():
            name = self.document_of(key, text, node)
            if name is not None:
                named.setdefault(name, node)
        return named

    def document(self, key: str) -> str | None:
        """A document's name, without `.md`, that a step may create."""
        text = self.text(key)
        name = None if text is None else self.document_of(key, text, self.values[key])
        if name is not None and "__" in name:
            message = (
                f"{quoted(key)} is {quoted(name)}, and a created document has no __ in its name"
            )
            self.add("BMAD110", self.values[key], message, "use a single _")
            return None
        return name

    def document_of(self, key: str, text: str, node: Node) -> str | None:
        name = spec.document_name(text)
        if spec.is_document_id(name):
            return name
        self.add("BMAD110", node, f"{quoted(key)} names no document: {quoted(text)}", DOCUMENT_HINT)
        return None
