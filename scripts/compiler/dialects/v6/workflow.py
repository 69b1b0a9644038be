"""A workflow of v6, whatever it was written in, and what its parts are called."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ....runtime import spec
from ..draft import Origin
from .persona import slug

_BRACES: Final = re.compile(r"\{\{?[^{}]*\}?\}")
_PARENTHESES: Final = re.compile(r"\([^()]*\)")
_FIRST: Final = re.compile(r"\s*(?:[|,;+/]| or | and/or | plus )\s*")
_FILE: Final = re.compile(r"([\w.-]+)\.(md|ya?ml|json|csv|html|txt)\b", re.IGNORECASE)
_DASHES: Final = re.compile(r"[-_.]{2,}")
# Folders whose names tell no workflow apart.
_PLAIN: Final = frozenset({"workflows", "skills", "tasks", "src", "references", "modules"})
MAX_DOCUMENT: Final = 60
MISSING: Final = "skip"  # what a step does about a document that is not there


@dataclass(slots=True)
class Part:
    """A step: its name, and the file that says what is to be done."""

    name: str
    path: str


@dataclass(slots=True)
class Workflow:
    """`entry` is the file it begins with, `parts` its steps in order (none: the entry is all).

    `page` is a file beside the entry that has the text, where a skill sends there; the entry
    says nothing else when it `is_pointer`. `settings_file` is a `workflow.yaml` beside the text.
    `shown` are templates and the like that every step sees, `files` all that may be read.
    `forward` names another workflow that stands for this one. `settings` are its author's own
    that no text names, or that are more than a text.
    """

    id: str
    at: Origin
    entry: str
    folder: str
    page: str = ""
    is_pointer: bool = False
    settings_file: str = ""
    title: str = ""
    description: str = ""
    module: str = ""
    parts: list[Part] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    creates: str = ""
    creates_at: Origin | None = None
    requires: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    facts: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    forward: str = ""
    flow: str = ""
    owner: str = ""

    @property
    def leads(self) -> list[str]:
        """The files that every step is shown before its own; a `workflow.yaml` is settings."""
        is_text = not (self.is_pointer or self.entry.endswith("workflow.yaml"))
        return [path for path in (self.entry if is_text else "", self.page) if path]

    @property
    def tasks(self) -> list[str]:
        """The files that say what is to be done."""
        return list(dict.fromkeys([*self.leads, *(part.path for part in self.parts)]))


def document_of(text: str) -> str:
    """The name of the first document that a text speaks of, without `.md`; empty for none."""
    first = _FIRST.split(_PARENTHESES.sub("", _BRACES.sub("", text)).strip())[0]
    file = _FILE.search(first)
    if file is None:
        name = slug(first)
    else:
        stem = _DASHES.sub("-", file[1].strip("-_.")).lower()
        suffix = "" if file[2].lower() == "md" else f".{file[2].lower()}"
        name = f"{stem}{suffix}" if stem else ""
    name = name[:MAX_DOCUMENT].rstrip("-_.")
    return name if spec.is_document_id(name) and "__" not in name else ""


def add(names: list[str], name: str) -> None:
    """Put a name at the end of a list that does not have it."""
    if name not in names:
        names.append(name)


def candidates(own: str, module: str, folder: str) -> Iterator[str]:
    """Its own name, with its module's or a folder's in front, with a number behind."""
    yield own
    yield slug(f"{module}-{own}")
    for part in reversed(folder.split("/")[:-1]):
        if part[:1].isalpha() and part not in _PLAIN:
            yield slug(f"{part}-{own}")
    yield from (f"{own[: spec.MAX_ID - 4]}-{number}" for number in range(2, 1000))
