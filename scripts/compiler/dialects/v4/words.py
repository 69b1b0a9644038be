"""Small words about steps: sentences, names, joins."""

from __future__ import annotations

import re
from typing import Any

from .steps import Source


def id_of(keys: dict[str, Any]) -> str:
    """A step's id, whatever kind it is."""
    return str(keys.get("id") or keys.get("human"))


def is_meant(name: str, agent: str) -> bool:
    """Whether part of a prompt's name means an agent: its id, or a word of it."""
    words = re.split(r"[-_/|]", agent.lower())
    own = name.lower().replace("_", "-")
    return own == agent.lower() or own in words


def sentence(source: Source) -> str:
    """What a step does, as a sentence; empty when it does not say."""
    text = words(source.action)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def asked(source: Source) -> str:
    """What a person is asked in place of an agent that is not there; never empty."""
    told = [f"Phase: {words(source.phase)}."] if source.phase else []
    told += [sentence(source)] if source.action else []
    if charge := _charge(source):
        told.append(charge)
    if source.optional_steps:
        steps = ", ".join(map(words, source.optional_steps))
        told.append(f"Before it, if the input asks for it: {steps}.")
    if not (source.action or source.note or charge):
        told.append(f"{source.agent or 'A person'} is to do this.")
    return " ".join(part.strip() for part in (*told, source.note) if part.strip())


def _charge(source: Source) -> str:
    """One sentence on the documents and files that the step names."""
    given = ", ".join(source.requires)
    does: list[str] = []
    if source.creates:
        does.append(f"make {', '.join(source.creates)}" + (f" from {given}" if given else ""))
    elif given:
        does.append(f"read {given}")
    if source.updates:
        does.append(f"bring {', '.join(source.updates)} up to date")
    if source.validates:
        does.append(f"validate {words(source.validates)}")
    if source.repeats:
        does.append(f"do so {words(source.repeats)}")
    if source.uses:
        does.append(f"use {', '.join(source.uses)}")
    return f"{source.agent or 'A person'} is to {', and '.join(does)}." if does else ""


def words(text: str) -> str:
    """A name that was written with `_`, as words."""
    return " ".join(text.replace("_", " ").split())


def joined(*parts: str) -> str:
    """Paragraphs, without the empty ones."""
    return "\n\n".join(part.strip() for part in parts if part and part.strip())
