"""A strict subset of YAML with the place of every value: for sources and for settings.

A leaf: it imports nothing of ours. Plain scalars are read by the YAML 1.2 core schema, so
`on` and `no` are text and `010` is ten. Anchors, aliases, tags, merge keys, directives and
duplicate keys are faults, and so are text that is too long or nested too deeply.

Parser events are taken one at a time and nodes are built without recursion: PyYAML's own
composer overflows the C stack on deeply nested text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from yaml import SafeLoader
from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

try:
    from yaml._yaml import CParser
except ImportError:  # PyYAML was built without libyaml
    _PARSER: Callable[[str], Any] = SafeLoader
else:
    _PARSER = CParser

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 32
MAX_FAULTS: Final = 50
_SHOWN: Final = 80

FaultKind = Literal["syntax", "reference", "duplicate", "size", "character"]


class YamlFault(NamedTuple):
    """One thing that is wrong; `line` and `column` count from 1.

    `kind`: syntax | reference (anchor, alias, tag, merge key, directive) | duplicate (key) |
    size (too long or too deep) | character (that YAML does not allow).
    """

    kind: FaultKind
    message: str
    line: int
    column: int
    hint: str = ""


class YamlError(ValueError):
    """The text cannot be used; `faults` is never empty."""

    def __init__(self, faults: tuple[YamlFault, ...]) -> None:
        first = faults[0]
        super().__init__(f"line {first.line}, column {first.column}: {first.message}")
        self.faults = faults


class Scalar(NamedTuple):
    """A value as it was written (`text`) and as the core schema reads it (`value`)."""

    text: str
    value: str | int | float | bool | None
    line: int
    column: int


class Sequence(NamedTuple):
    """A list, in either style."""

    items: tuple[Node, ...]
    line: int
    column: int


class Mapping(NamedTuple):
    """Keys and values in file order; a key is text, exactly as it was written."""

    entries: tuple[tuple[Scalar, Node], ...]
    line: int
    column: int


Node: TypeAlias = Scalar | Sequence | Mapping

# YAML's own rule, and what PyYAML would take for the end of a line though no editor does.
_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
    "|\r(?!\n)"
)
_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER_STARTS: Final = frozenset("-+.0123456789")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"([-+]?)\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MAX_DIGITS: Final = 300
_INDENTED: Final = "check the indentation and the quotes of this line and the one above"
_HINTS: Final = (
    (
        "mapping values are not allowed",
        'put a text that holds ": " in quotes, or indent this line like the one above',
    ),
    ("a tab stands here", "indent with spaces"),
    ("cannot start any token", "indent with spaces, and put a text that begins so in quotes"),
    ("found unexpected ':'", "put a text that holds : in quotes"),
    ("unexpected end of stream", "close the quotes"),
    ("could not find expected ':'", 'a key is followed by ": " and its value'),
    ("did not find expected key", _INDENTED),
    ("expected <block end>", _INDENTED),
    (
        "did not find expected '-'",
        "check the indentation of this line and the one above: items stand under each other",
    ),
    ("expected <document start>", "keep one document, without a ... or --- line"),
    ("did not find expected ','", "close the bracket, or put the text in quotes"),
)


def read(
    text: str, *, first_line: int = 1, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH
) -> tuple[Node | None, tuple[YamlFault, ...]]:
    """The root node and every fault that was found.

    None stands for a text without content, or one that does not parse. `first_line` is the
    line of the author's file on which `text` begins.
    """
    return _Builder(text, first_line, max_bytes, max_depth).build()


def parse(text: str, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Node | None:
    """The root node, None for a text without content; raises YamlError with all faults."""
    root, faults = read(text, max_bytes=max_bytes, max_depth=max_depth)
    if faults:
        raise YamlError(faults)
    return root


def to_data(node: Node | None) -> Any:
    """Plain dicts, lists and scalars."""
    if isinstance(node, Mapping):
        return {key.text: to_data(value) for key, value in node.entries}
    if isinstance(node, Sequence):
        return [to_data(item) for item in node.items]
    return None if node is None else node.value


def resolve(text: str) -> str | int | float | bool | None:
    """A plain scalar by the core schema; a number of absurd length is infinite."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    infinite = _INFINITE.fullmatch(text)
    if infinite is None:
        return text
    return float("nan") if infinite[1] is None else float(infinite[1] + "inf")


def _integer(text: str) -> int | float:
    if len(text) > _MAX_DIGITS:
        return float("-inf" if text[0] == "-" else "inf")
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def _quoted(text: str) -> str:
    shown = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    return '"' + "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shown) + '"'


class _Open(NamedTuple):
    """A list or mapping whose end has not been seen."""

    is_mapping: bool
    parts: list[Node]
    line: int
    column: int


class _TooDeep(Exception):
    """Nesting passed the limit: nothing more is read."""


class _Builder:
    def __init__(self, text: str, first_line: int, max_bytes: int, max_depth: int) -> None:
        self.text = text.removeprefix("\ufeff")
        self.first_line = first_line
        self.max_bytes = max_bytes
        self.max_depth = max_depth
        self.faults: list[YamlFault] = []
        self.stack: list[_Open] = []
        self.root: Node | None = None
        self.documents = 0
        self.is_anchored = False

    def build(self) -> tuple[Node | None, tuple[YamlFault, ...]]:
        if self._is_readable():
            try:
                self._take_events()
            except _TooDeep:
                self.root = None
            except (YAMLError, ValueError) as error:  # ValueError: a code point out of range
                self.root = None
                self._add_syntax_fault(error)
        if self.is_anchored:
            self.root = None  # what its values are is not known
        return self.root, tuple(self.faults)

    def _is_readable(self) -> bool:
        size = len(self.text.encode(errors="replace"))
        if size > self.max_bytes:
            message = f"the text is longer than {self.max_bytes:,} bytes"
            self.faults.append(YamlFault("size", message, self.first_line, 1))
            return False
        forbidden = _FORBIDDEN.search(self.text)
        if forbidden is not None:
            self.faults.append(self._character_fault(forbidden.start()))
        return forbidden is None

    def _character_fault(self, index: int) -> YamlFault:
        code = f"U+{ord(self.text[index]):04X}"
        hint = "end lines with LF or CRLF" if code == "U+000D" else "remove it"
        line = self.text.count("\n", 0, index) + self.first_line
        column = index - self.text.rfind("\n", 0, index)
        return YamlFault(
            "character", f"the character {code} cannot stand in YAML", line, column, hint
        )

    def _take_events(self) -> None:
        parser = _PARSER(self.text)
        handlers: dict[type[Event], Callable[[Any], None]] = {
            ScalarEvent: self._scalar,
            AliasEvent: self._alias,
            SequenceStartEvent: self._open,
            MappingStartEvent: self._open,
            SequenceEndEvent: self._close,
            MappingEndEvent: self._close,
            DocumentStartEvent: self._document,
        }
        try:
            while not isinstance(event := parser.get_event(), StreamEndEvent):
                handler = handlers.get(type(event))
                if handler is not None:
                    handler(event)
        finally:
            parser.dispose()

    def _document(self, event: DocumentStartEvent) -> None:
        self.documents += 1
        if self.documents == 2:
            hint = "keep one document, without a further --- line"
            self._add("syntax", "a second YAML document begins here", event.start_mark, hint)
        if event.version or event.tags:
            self._add("reference", "a YAML directive is not allowed", event.start_mark, "remove it")

    def _scalar(self, event: ScalarEvent) -> None:
        text = event.value
        value = resolve(text) if event.implicit[0] else text
        if event.anchor is not None or event.tag is not None:
            self._refuse_properties(event)
        self._put(Scalar(text, value, *self._place(event.start_mark)))

    def _alias(self, event: AliasEvent) -> None:
        name = f"*{event.anchor}"
        hint = f"write the value out, or put the text in quotes: {_quoted(name)}"
        self._add_anchored(f"an alias is not allowed: {_quoted(name)}", event.start_mark, hint)
        self._put(Scalar(name, name, *self._place(event.start_mark)))

    def _open(self, event: SequenceStartEvent | MappingStartEvent) -> None:
        if event.anchor is not None or event.tag is not None:
            self._refuse_properties(event)
        if len(self.stack) >= self.max_depth:
            message = f"lists and mappings are nested more than {self.max_depth} deep"
            self._add("size", message, event.start_mark)
            raise _TooDeep
        is_mapping = isinstance(event, MappingStartEvent)
        self.stack.append(_Open(is_mapping, [], *self._place(event.start_mark)))

    def _close(self, event: Event) -> None:
        done = self.stack.pop()
        if done.is_mapping:
            self._put(Mapping(self._entries(done.parts), done.line, done.column))
        else:
            self._put(Sequence(tuple(done.parts), done.line, done.column))

    def _put(self, node: Node) -> None:
        if self.stack:
            self.stack[-1].parts.append(node)
        elif self.documents == 1:
            self.root = node

    def _entries(self, parts: list[Node]) -> tuple[tuple[Scalar, Node], ...]:
        seen: dict[str, int] = {}
        entries: list[tuple[Scalar, Node]] = []
        for key, value in zip(parts[::2], parts[1::2], strict=True):
            if not isinstance(key, Scalar):
                self._add_at("syntax", "a key is a list or a mapping", key, "write the key as text")
            elif key.text == "<<":
                self._add_at(
                    "reference", 'a merge key is not allowed: "<<"', key, "write the keys out"
                )
            elif key.text in seen:
                message = (
                    f"the key {_quoted(key.text)} stands twice: on line {seen[key.text]} and here"
                )
                self._add_at("duplicate", message, key, "keep one of the two")
            else:
                seen[key.text] = key.line
                entries.append((key, value))
        return tuple(entries)

    def _refuse_properties(
        self, event: ScalarEvent | SequenceStartEvent | MappingStartEvent
    ) -> None:
        if event.anchor is not None:
            message = f"an anchor is not allowed: {_quoted('&' + event.anchor)}"
            hint = "write the value out where it is used"
            self._add_anchored(message, event.start_mark, hint)
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            hint = "remove it, or put the text in quotes"
            self._add("reference", f"a tag is not allowed: {_quoted(tag)}", event.start_mark, hint)

    def _add_syntax_fault(self, error: Exception) -> None:
        problem, mark = "it cannot be read", None
        if isinstance(error, MarkedYAMLError):
            problem = error.problem or error.context or problem
            mark = self._telling_mark(error)
        if mark and "cannot start any token" in problem and self.text[mark.index :][:1] == "\t":
            problem = "a tab stands here"
        hint = next((hint for part, hint in _HINTS if part in problem), "")
        line, column = self._place(mark) if mark else (self.first_line, 1)
        self.faults.append(
            YamlFault("syntax", f"YAML does not parse: {problem}", line, column, hint)
        )

    def _telling_mark(self, error: MarkedYAMLError) -> Any:
        """What was never closed is found at the end and is better shown where it was opened."""
        problem: Any = error.problem_mark
        is_at_end = problem is not None and problem.index >= len(self.text.rstrip())
        return (is_at_end and error.context_mark) or problem or error.context_mark

    def _add(self, kind: FaultKind, message: str, mark: Any, hint: str = "") -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(YamlFault(kind, message, *self._place(mark), hint))

    def _add_anchored(self, message: str, mark: Any, hint: str) -> None:
        """The first anchor or alias; a text may have a thousand, and they go together."""
        if not self.is_anchored:
            self._add("reference", message, mark, hint)
        self.is_anchored = True

    def _add_at(self, kind: FaultKind, message: str, node: Node, hint: str) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(YamlFault(kind, message, node.line, node.column, hint))

    def _place(self, mark: Any) -> tuple[int, int]:
        return mark.line + self.first_line, mark.column + 1
