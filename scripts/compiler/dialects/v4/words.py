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


def words(text: str) -> str:
    """A name that was written with `_`, as words."""
    return " ".join(text.replace("_", " ").split())


def joined(*parts: str) -> str:
    """Paragraphs, without the empty ones."""
    return "\n\n".join(part.strip() for part in parts if part and part.strip())
