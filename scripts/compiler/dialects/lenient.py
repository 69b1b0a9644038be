"""YAML as other tools' authors wrote it: read strictly, repaired where that is safe, and told.

A repair touches one line and never guesses: it quotes a text that YAML would not take for one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import Final, NamedTuple

from ...runtime.yamltext import Mapping, Node, YamlFault, read
from ..diagnostics import quoted
from . import aliases
from .tree import ForeignTree

MAX_REPAIRS: Final = 200
_STAR: Final = re.compile(r'^(\s*- )"(\*?[^"]+)"\s+-\s+(.*\S)\s*$')
_ITEM: Final = re.compile(r"^(\s*(?:- )*)(\S.*)$")
_KEYED: Final = re.compile(
    r"^(\s*(?:- )*(?:[\w.*-]+(?: [\w.*{}()-]+)*|\"[^\"]*\"|'[^']*'):[ \t]+)(\S.*)$"
)
_SPECIAL: Final = ("@", "*", "{", "[", "`", "%", "&", "!", "|", ">", ",", "?")
_TAB: Final = re.compile(r"^[ ]*\t[ \t]*", re.MULTILINE)
_BLOCK: Final = re.compile(r":[ \t]+[|>][ \t]*$")
_HEADING: Final = re.compile(r"^(?:#{2,6} |\*\*|`{3}|</?[a-zA-Z])")
_CONFLICT: Final = re.compile(r"^<{7} ", re.MULTILINE)


class Read(NamedTuple):
    """`root` is None when nothing could be read; `text` is what was read in the end."""

    root: Node | None
    text: str


def mapping(tree: ForeignTree, path: str, text: str, first_line: int = 1) -> Mapping | None:
    """The mapping in `text`, from line `first_line` of `path`; None when there is none.

    Repairs are warnings (BMAD601), what cannot be repaired an error (BMAD604). An alias is what
    its anchor holds, which is told as well.
    """
    root, faults = read(text, first_line=first_line)
    if faults and all(fault.kind == "reference" for fault in faults):
        root = aliases.expanded(text, first_line)
        if isinstance(root, Mapping):
            at = tree.at(path, faults[0].line, faults[0].column)
            message = "YAML anchors and aliases were read as the values that they stand for"
            tree.diagnostics.add("BMAD601", at, message, "write the values out")
            return root
    found = repaired(tree, path, text, first_line)
    if found.root is None or isinstance(found.root, Mapping):
        return found.root
    at = tree.at(path, found.root.line, found.root.column)
    tree.diagnostics.add("BMAD604", at, "this is no mapping of keys to values", "write key: value")
    return None


def repaired(
    tree: ForeignTree, path: str, text: str, first_line: int = 1, *, failure: str = "BMAD604"
) -> Read:
    """What `text` says, with as few repairs as it needs; no line is repaired twice.

    `failure` is the code of what cannot be repaired.
    """
    root, faults = read(text, first_line=first_line)
    original, repairs = _worst(faults), list[_Better]()
    conflict = _CONFLICT.search(text) if original is not None else None
    if conflict is not None:
        line = text.count("\n", 0, conflict.start()) + first_line
        message = "YAML does not parse: a merge conflict begins here"
        hint = "keep one of the two sides, and remove the marks"
        tree.diagnostics.add(failure, tree.at(path, line), message, hint)
        return Read(None, text)
    tab = _TAB.search(text)
    if original is not None and tab is not None:
        text = _TAB.sub(lambda found: found[0].replace("\t", "  "), text)
        root, faults = read(text, first_line=first_line)
        line = text.count("\n", 0, tab.start()) + first_line
        repairs.append(_Better(text, root, faults, line, "tabs at the start of lines are blanks"))
    while (fault := _worst(faults)) is not None:
        done = frozenset(each.line for each in repairs)
        better = next(_better(text, fault, first_line, done), None)
        if better is None or len(repairs) == MAX_REPAIRS:
            assert original is not None  # noqa: S101 - there is one now, so there was one
            hint = original.hint or "mend the file"
            at = tree.at(path, original.line, original.column)
            tree.diagnostics.add(failure, at, original.message, hint)
            return Read(None, text)
        text, root, faults = better.text, better.root, better.faults
        repairs.append(better)
    for each in repairs:
        tree.diagnostics.add("BMAD601", tree.at(path, each.line), each.what, "mend the file")
    for twin in faults:
        at = tree.at(path, twin.line, twin.column)
        tree.diagnostics.add("BMAD601", at, f"{twin.message}; the first is read", twin.hint)
    return Read(root, text)


def _worst(faults: tuple[YamlFault, ...]) -> YamlFault | None:
    return next((fault for fault in faults if fault.kind != "duplicate"), None)


class _Better(NamedTuple):
    text: str
    root: Node | None
    faults: tuple[YamlFault, ...]
    line: int
    what: str


def _better(
    text: str, fault: YamlFault, first_line: int, done: frozenset[int]
) -> Iterator[_Better]:
    """Texts with one repair more that can be read further than before."""
    lines = text.split("\n")
    index = min(max(fault.line - first_line, 0), len(lines) - 1)
    yield from _cut(lines, index, first_line)
    for place in _places(lines, index):
        if place + first_line in done:
            continue
        for repair, what in _REPAIRS:
            line = repair(lines[place])
            if line is None or line == lines[place]:
                continue
            new = "\n".join([*lines[:place], line, *lines[place + 1 :]])
            root, faults = read(new, first_line=first_line)
            worst = _worst(faults)
            if worst is None or (worst.line, worst.column) > (fault.line, fault.column):
                said = f"{what}: {quoted(lines[place].strip())}"
                yield _Better(new, root, faults, place + first_line, said)
    yield from _indented(lines, index, fault, first_line)


def _indented(lines: list[str], index: int, fault: YamlFault, first_line: int) -> Iterator[_Better]:
    """A text below `|` whose first line stands deeper than others: its indentation is written."""
    place = next((at for at in range(index, -1, -1) if _BLOCK.search(lines[at])), None)
    if place is None:
        return
    own = len(lines[place]) - len(lines[place].lstrip(" -"))
    deeper = [len(line) - len(line.lstrip(" ")) for line in lines[place + 1 :] if line.strip()]
    depth = min(takewhile(lambda deep: deep > own, deeper), default=own) - own
    if not 0 < depth < 10:
        return
    line = f"{lines[place].rstrip()}{depth}"
    new = "\n".join([*lines[:place], line, *lines[place + 1 :]])
    root, faults = read(new, first_line=first_line)
    worst = _worst(faults)
    if worst is None or (worst.line, worst.column) > (fault.line, fault.column):
        what = "the indentation of a text whose first line stands deeper was written out"
        yield _Better(new, root, faults, place + first_line, f"{what}: {quoted(line.strip())}")


def _places(lines: list[str], index: int) -> Iterator[int]:
    """The faulty line, and those before it that it may only be the victim of."""
    yield index
    found = 0
    for place in range(index - 1, -1, -1):
        if lines[place].strip():
            yield place
            found += 1
        if found == 3:
            return


def _cut(lines: list[str], index: int, first_line: int) -> Iterator[_Better]:
    """Markdown that goes on inside the block: all from its first heading is no YAML."""
    for place in range(index, max(index - 12, 0), -1):
        if not _HEADING.match(lines[place]):
            continue
        new = "\n".join(lines[:place])
        root, faults = read(new, first_line=first_line)
        if _worst(faults) is None and isinstance(root, Mapping):
            what = "Markdown goes on inside the YAML block and is left out"
            yield _Better(new, root, faults, place + first_line, what)


def _star(line: str) -> str | None:
    found = _STAR.match(line)
    return found and f"{found[1]}{_quoted(found[2])}: {_quoted(found[3])}"


def _value(line: str) -> str | None:
    """The value behind the line's key, in quotes."""
    found = _KEYED.match(line)
    if found is None or (found[2][0] in "'\"" and found[2][-1] == found[2][0]):
        return None
    if found[2][0] in "{}[]" and not _is_balanced(found[2]):
        return None  # a torn list is no text
    return f"{found[1]}{_quoted(found[2].rstrip())}"


def _is_balanced(text: str) -> bool:
    return all(text.count(one) == text.count(other) for one, other in ("{}", "[]"))


def _special(line: str) -> str | None:
    found = _KEYED.match(line)
    if found is None or not found[2].startswith(_SPECIAL):
        return None
    return _value(line)


def _item(line: str) -> str | None:
    """A whole item of a list, or a line that is one text, in quotes."""
    found = _ITEM.match(line)
    if found is None or "- " not in found[1]:
        return None
    return f"{found[1]}{_quoted(found[2].rstrip())}"


def _key(line: str) -> str | None:
    """A key that YAML would take for something else, in quotes."""
    found = re.match(r"^(\s*(?:- )*)([@*&`%{\[][^\"':]*(?:\{[^}]*\})?[^\"':]*):(\s.*|)$", line)
    return found and f"{found[1]}{_quoted(found[2])}:{found[3]}"


def _escape(line: str) -> str | None:
    return line.replace("\\'", "''") if "\\'" in line else None


def _inner_quotes(line: str) -> str | None:
    """A text in quotes that holds quotes, or goes on behind them."""
    found = re.match(r"^(\s*(?:- )*(?:[\w.*-]+:[ \t]+)?)([\"'])(.*)$", line)
    if found is None:
        return None
    body = found[3].rstrip()
    if body.endswith(found[2]) and body.count(found[2]) > 1:
        body = body[:-1]
        return f"{found[1]}{_quoted(body)}"
    return f"{found[1]}{_quoted(found[2] + body)}"


def _quoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == '"' and '"' not in text[1:-1]:
        return text
    return "'" + text.replace("'", "''") + "'"


_REPAIRS: Final[tuple[tuple[Callable[[str], str | None], str], ...]] = (
    (_star, 'an item "name" - text is read as name: text'),
    (_key, "a key was put in quotes"),
    (_special, "a text that begins with a sign of YAML's was put in quotes"),
    (_escape, "a quote escaped by a backslash was doubled"),
    (_value, "a value was put in quotes"),
    (_inner_quotes, "a text with quotes inside was put in quotes"),
    (_item, "an item of a list was put in quotes"),
)
