"""An agent as every form of v6 describes it, and what it becomes in native words."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ....runtime import spec
from ..draft import DraftAgent, Origin

_NOT_ID: Final = re.compile(r"[^A-Za-z0-9]+")
# Commands and items that only make sense in a conversation.
INTERACTIVE: Final = frozenset(
    {"help", "exit", "yolo", "mh", "ch", "da", "menu", "chat", "dismiss-agent", "goodbye"}
)
SERVICE: Final = (
    "## In service\n\n"
    "Nobody can be asked while you work, and you load no files but those that are shown to you "
    "or that `read_asset` gives. Where a text tells you to greet, to show a menu, to halt or to "
    "wait for a person, go on with the likeliest choice and say what you assumed. Where it tells "
    "you to write a file, your answer is its content."
)


@dataclass(slots=True)
class Item:
    """One thing on an agent's menu. `targets` are files or skills it names, as written there."""

    name: str
    text: str
    at: Origin
    targets: list[str] = field(default_factory=list)
    skill: str = ""


class Left(NamedTuple):
    """Something that was left out: where, what and why; `construct` is its kind in the report."""

    at: Origin
    name: str
    why: str
    construct: str = "agent key"


@dataclass(slots=True)
class Persona:
    """`id` is its author's, `sections` are further parts of the prompt: heading and text.

    `documents` are those that it always wants to see, `files` those that its facts name.
    `dropped` counts what was left out for being part of a conversation. `told` is what is there
    under no name of its own: where, what and why.
    """

    id: str
    at: Origin
    name: str = ""
    title: str = ""
    description: str = ""
    module: str = ""
    role: str = ""
    identity: str = ""
    style: str = ""
    principles: list[str] = field(default_factory=list)
    sections: list[tuple[str, str]] = field(default_factory=list)
    menu: list[Item] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    has_sidecar: bool = False
    dropped: int = 0
    left: list[Left] = field(default_factory=list)
    told: list[tuple[Origin, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is said of who it is or what it does."""
        said = (self.role, self.identity, self.style, self.title, self.description)
        return not (any(said) or self.principles or self.sections or self.menu)

    def drop(self, at: Origin, name: str) -> None:
        """Leave out what is for a conversation."""
        self.dropped += 1
        self.left.append(Left(at, name, "it is for a conversation", "directive"))


def is_words(target: str) -> bool:
    """Whether a menu item's target is an instruction in words, not the name of a file."""
    return " " in target and not target.endswith((".md", ".xml", ".yaml", ".yml", ".csv"))


def slug(text: str) -> str:
    """`text` as an id: ASCII letters, digits and single `-`; empty when nothing is left of it."""
    words = _NOT_ID.sub("-", text.strip()).strip("-").lower()
    if words and not words[0].isalpha():
        words = f"x-{words}"
    found = words[: spec.MAX_ID].rstrip("-")
    return f"{found}-agent" if found in spec.RESERVED_AGENT_IDS else found


def one_line(text: str) -> str:
    """Text for a description."""
    return " ".join(text.split())


def persona_text(persona: Persona) -> str:
    """Who it is, in one fixed order."""
    who = ", ".join(part for part in (persona.name, persona.title) if part)
    lines = [f"You are {who}."] if who else []
    for title, text in (
        ("Role", persona.role),
        ("Identity", persona.identity),
        ("Communication style", persona.style),
    ):
        if text.strip():
            lines.append(f"{title}: {text.strip()}")
    return "\n".join(lines)


def prompt_text(persona: Persona) -> str:
    """What it holds to and knows, and how it works in a service."""
    parts = []
    if persona.principles:
        parts.append("## Principles\n\n" + "\n".join(bullets(persona.principles)))
    parts += [f"## {title}\n\n{text.strip()}" for title, text in persona.sections if text.strip()]
    return "\n\n".join((*parts, SERVICE)) + "\n"


def bullets(texts: list[str]) -> list[str]:
    """A Markdown list; what is one already stays so."""
    return [text if text.startswith(("- ", "* ")) else f"- {text}" for text in texts]


def draft_agent(persona: Persona, agent_id: str) -> DraftAgent:
    """The native agent, still without commands and files."""
    description = one_line(persona.description or persona.title or persona.name)
    return DraftAgent(
        id=agent_id,
        at=persona.at,
        description=description,
        persona=persona_text(persona),
        prompt=prompt_text(persona),
        notes=list(persona.notes),
    )
