"""A finding: what is wrong, where, and what to do about it.

A leaf: it imports nothing of ours. An author's mistakes are data, collected and
shown together; only the compiler's own faults are exceptions.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a source file; lines and columns count from 1, 0 means unknown."""

    path: str
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Diagnostic:
    """One finding, sorted as a reader would go through the files."""

    path: str
    line: int
    column: int
    code: str
    severity: Severity
    message: str
    hint: str = ""


# Each code has one severity, one page in docs/guide/diagnostics and one case in tests/cases.
CODES: Final[dict[str, tuple[Severity, str]]] = {
    # 1xx: files and front-matter
    "BMAD101": ("error", "a file cannot be read"),
    "BMAD102": ("error", "a file is not UTF-8 text"),
    "BMAD103": ("error", "a file or a value is too large"),
    "BMAD104": ("error", "front-matter is opened and not closed"),
    "BMAD105": ("error", "YAML does not parse"),
    "BMAD106": ("error", "an anchor, an alias or a tag"),
    "BMAD107": ("error", "a key stands twice"),
    "BMAD108": ("error", "an unknown key"),
    "BMAD109": ("error", "a value of the wrong type"),
    "BMAD110": ("error", "a value that is not allowed"),
    "BMAD111": ("error", "an id that does not fit the pattern"),
    "BMAD112": ("error", "two agents or tools with one name"),
    "BMAD113": ("error", "a link, a pipe or a device among the sources"),
    "BMAD114": ("note", "a shorthand that was read as its long form"),
    "BMAD115": ("error", "text that cannot stand in a source file"),
    "BMAD116": ("error", "a project without agents"),
    "BMAD117": ("warning", "a file that is not read"),
    "BMAD118": ("error", "an output that is no JSON Schema"),
    "BMAD119": ("warning", "a prompt that begins like front-matter"),
    "BMAD199": ("error", "a key that is not supported yet"),
    # 2xx: references between agents, tools and documents
    "BMAD201": ("error", "an unknown agent"),
    "BMAD202": ("error", "an unknown tool"),
    "BMAD203": ("error", "an agent waits for itself or in a circle"),
    "BMAD204": ("error", "an agent waits for one that is not there or only comes later"),
    "BMAD205": ("warning", "a document that no agent creates"),
    "BMAD206": ("warning", "a document that is created only later"),
    "BMAD207": ("error", "a document with two creators in one flow"),
    "BMAD208": ("note", "an agent that stands in no flow"),
    "BMAD209": ("error", "a file that an agent names and that is not there"),
    "BMAD210": ("note", "a document that clients supply"),
    # 3xx: flows
    "BMAD301": ("error", "a flow without steps"),
    "BMAD302": ("error", "a step id that is used twice or reserved"),
    "BMAD303": ("error", "an action that the step cannot end with"),
    "BMAD304": ("error", "an action that leads to no step"),
    "BMAD305": ("error", "a step that is never reached"),
    "BMAD306": ("warning", "a loop without max_visits"),
    "BMAD307": ("error", "something that cannot stand in a group"),
    "BMAD308": ("error", "two flows with one name"),
    "BMAD309": ("error", "a condition that cannot be read"),
    "BMAD310": ("error", "a condition on a step that cannot have run before"),
    "BMAD311": ("error", "for_each over a list that no earlier step gives"),
    "BMAD312": ("error", "something that cannot stand beside for_each"),
    "BMAD313": ("error", "an unknown flow"),
    "BMAD314": ("error", "a flow that runs itself"),
    "BMAD315": ("note", "an outcome that on leaves out"),
    "BMAD316": ("error", "a flow that runs for each of a list without max_items"),
    "BMAD317": ("error", "a document whose name leaves no room for a story's id"),
    # 4xx: tools
    "BMAD401": ("error", "a tool's module or function is not found"),
    "BMAD402": ("error", "a tool's module does not parse"),
    "BMAD403": ("warning", "a tool's parameter that cannot be described"),
    "BMAD404": ("note", "a tool that no agent uses"),
    "BMAD405": ("error", "a tool that cannot be called by name"),
    "BMAD406": ("error", "a file under tools/ that cannot be copied"),
    # 5xx: output
    "BMAD501": ("error", "the output folder was not made by bmad2pf"),
    "BMAD502": ("error", "a generated file was edited by hand"),
    "BMAD503": ("error", "the output folder cannot be written"),
    "BMAD504": ("error", "the output folder is out of date"),
    "BMAD505": ("warning", "no formatter could be run"),
    "BMAD506": ("error", "another compiler is at work"),
    "BMAD507": ("warning", "a memory that an agent no longer works in"),
    "BMAD508": ("note", "a step that is always sent a long text"),
    # 6xx: projects in another form
    "BMAD600": ("note", "directives for a conversation that are left out"),
    "BMAD601": ("warning", "YAML of another form that was repaired"),
    "BMAD602": ("error", "a file of another form that is no UTF-8 text"),
    "BMAD603": ("warning", "control characters that were taken out"),
    "BMAD604": ("error", "YAML of another form that cannot be repaired"),
    "BMAD605": ("warning", "a file that a foreign agent or step names and that is not there"),
    "BMAD606": ("note", "an id that was made to fit"),
    "BMAD607": ("note", "an id that is taken, so that another was given"),
    "BMAD608": ("warning", "an agent of a workflow that is none"),
    "BMAD609": ("note", "a condition whose source is declared"),
    "BMAD610": ("note", "a document of a workflow that is none, or only perhaps one"),
    "BMAD611": ("note", "something that is left out"),
    "BMAD612": ("error", "a path that leads out of the project"),
    "BMAD613": ("warning", "a file that is in no form that is known"),
    "BMAD614": ("note", "a loop that was given bounds"),
    "BMAD615": ("error", "two agents of one folder with one id"),
    "BMAD616": ("warning", "a workflow, or a part of one, that is in no form that is known"),
    "BMAD617": ("note", "a workflow that has become several flows"),
    "BMAD618": ("warning", "a document's template that cannot be read"),
    "BMAD619": ("warning", "something that --keep-going leaves out"),
    "BMAD630": ("warning", "a row of a table that does not fit its header"),
    "BMAD631": ("warning", "an agent that does not follow its form"),
    "BMAD632": ("error", "an agent's XML that is not well-formed"),
    "BMAD633": ("error", "XML that declares types or entities"),
    "BMAD634": ("error", "TOML that does not parse"),
    "BMAD635": ("error", "workflows that follow each other in a circle"),
    "BMAD636": ("error", "a next step that is not there"),
    "BMAD637": ("note", "test data that is not read"),
    "BMAD638": ("warning", "an agent's XML that was repaired"),
    "BMAD639": ("warning", "a table's workflow that is not there"),
    "BMAD640": ("note", "placeholders that are left for the model"),
    "BMAD641": ("note", "what only suggests an order of agents"),
    "BMAD642": ("warning", "a tool of another program"),
    "BMAD643": ("warning", "an early form that is read as well as can be"),
    "BMAD644": ("warning", "an installed agent whose file is not there"),
    "BMAD645": ("warning", "a task or an agent of CrewAI that does not fit"),
    "BMAD646": ("error", "an imported file that was edited since"),
}


_SHOWN: Final = 80
_LONGEST_WORD: Final = 200
_LISTED: Final = 4


class Diagnostics:
    """The findings so far: de-duplicated, sorted, never lost."""

    def __init__(self) -> None:
        self._found: set[Diagnostic] = set()

    def add(self, code: str, at: Position, message: str, hint: str = "") -> None:
        """Take in a finding; its severity is the code's."""
        severity = CODES[code][0]
        message, hint = one_line(message), one_line(hint)
        self._found.add(Diagnostic(at.path, at.line, at.column, code, severity, message, hint))

    def extend(self, others: Iterable[Diagnostic]) -> None:
        self._found.update(others)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(sorted(self._found))

    def __len__(self) -> int:
        return len(self._found)

    def count(self, severity: Severity) -> int:
        """How many findings of that severity there are."""
        return sum(found.severity == severity for found in self._found)

    def has(self, severity: Severity) -> bool:
        return any(found.severity == severity for found in self._found)


def one_line(text: str) -> str:
    """`text` with what cannot be printed written out, so that a finding is always one line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def quoted(text: str) -> str:
    """`text` as a message shows it: in quotes, and not too long."""
    return f'"{text}"' if len(text) <= _SHOWN else f'"{text[: _SHOWN - 1]}…"'


def several(names: Sequence[str]) -> str:
    """Names in a message: the first four, and how many more there are."""
    shown = ", ".join(quoted(name) for name in names[:_LISTED])
    return f"{shown} and {len(names) - _LISTED:,} more" if len(names) > _LISTED else shown


def near_match(word: str, known: Iterable[str]) -> str:
    """A hint that names the likeliest of `known` but for the word itself, or nothing.

    Case is no difference here: `PRD` is almost `prd`.
    """
    if len(word) > _LONGEST_WORD:
        return ""  # comparing takes the square of the length
    near: dict[str, str] = {}
    for name in sorted(known):
        if name != word and len(name) <= _LONGEST_WORD:
            near.setdefault(name.casefold(), name)
    close = difflib.get_close_matches(word.casefold(), near, n=1, cutoff=0.6)
    return f'did you mean "{near[close[0]]}"?' if close else ""
