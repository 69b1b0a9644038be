"""What a foreign project comes to: agents, flows and files in native words, not yet written.

Every reader of a foreign dialect makes a Draft; `writing` turns it into the text of native
sources, which are compiled, or kept by `bmad2pf import`, by one and the same path.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Fate = Literal["carried", "approximated", "left"]


class Origin(NamedTuple):
    """A place in the foreign tree: `path` is relative to it, with `/`; counting from 1."""

    path: str
    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True)
class Account:
    """What became of one construct of the foreign project, for the report.

    `construct` is its kind (`agent`, `command`, `step`, `condition`, …), `name` what its author
    calls it, `why` one sentence for whatever was not carried over as it stands.
    """

    at: Origin
    construct: str
    name: str
    fate: Fate
    why: str = ""


Origins = dict[str, Origin]  # by key: `commands`, or `commands/draft` for one item of it


@dataclass(slots=True)
class DraftAgent:
    """An agent; `keys` are further keys of native front-matter, in the order of writing.

    `notes` are comments that tell its future author of choices made for them; `origins` says
    where keys come from that do not come from `at`.
    """

    id: str
    at: Origin
    description: str = ""
    persona: str = ""
    prompt: str = ""
    keys: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    origins: Origins = field(default_factory=dict)


@dataclass(slots=True)
class DraftStep:
    """A step, as the mapping that a native flow file holds (`agent`, `requires`, `on`, …)."""

    keys: dict[str, Any]
    at: Origin
    notes: list[str] = field(default_factory=list)
    origins: Origins = field(default_factory=dict)


@dataclass(slots=True)
class DraftFlow:
    """A flow; `keys` are further keys beside `sequence` (`on_missing_doc`, …)."""

    name: str
    at: Origin
    description: str = ""
    steps: list[DraftStep] = field(default_factory=list)
    keys: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DraftFile:
    """A file that agents name, byte for byte or with its placeholders resolved."""

    data: bytes
    at: Origin


@dataclass(slots=True)
class Draft:
    """A whole foreign project. `files` are by their path below the native source folder
    (`tasks/create-doc.md`); findings go into the Diagnostics that a reader is given.

    Every flow is written to `workflows/<name>.yaml`. `taken` are the files that were understood,
    with the reason why each was taken for what it is.
    """

    dialect: str
    agents: list[DraftAgent] = field(default_factory=list)
    flows: list[DraftFlow] = field(default_factory=list)
    files: dict[str, DraftFile] = field(default_factory=dict)
    accounts: list[Account] = field(default_factory=list)
    taken: dict[str, str] = field(default_factory=dict)

    def account(self, at: Origin, construct: str, name: str, fate: Fate, why: str = "") -> None:
        """Say what became of a construct."""
        self.accounts.append(Account(at, construct, name, fate, why))
