"""What projects of skills (v6) say of themselves, read with TOML, CSV and expressions alone.

None of the compiler's readers is used, so that what it makes of them can be held against it.
"""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .declared import squashed

MATTER = re.compile(r"\A---\n(.*?)^---\n", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#{1,6} +(?:Step \d+: *)?(.*\S)", re.MULTILINE)
_FORWARDS = re.compile(r"Deprecated\b.*\bforwards to (bmad-[\w-]+)")
_LEADS = re.compile(r"^- (?:Bare paths?|`\{[\w-]+\}`).*? resolves? (?:from|to) .*", re.MULTILINE)
_INVOKES = re.compile(r"[Ii]nvoke the `(bmad-[\w-]+)` skill")
_STEP = re.compile(r"steps/step-(\d+)-[\w-]+\.md")
# What is filled in, or written as `read_asset` takes it: braces and names of files.
_FILLED = re.compile(r"\{\{?[^{}\n]*\}\}?|[\w./-]*\.(?:md|ya?ml|toml|html|csv|json)\b")
_LEAST = 12  # letters of a piece that is looked for


@dataclass(frozen=True)
class Skill:
    """A folder with a `SKILL.md`: `settings` are its TOML, `files` all else, by their place in it.

    `steps` are its step files in order, `forwards` the skill that stands for it by now.
    """

    id: str
    text: str
    settings: dict[str, Any] = field(hash=False)
    files: dict[str, str] = field(hash=False)

    @property
    def is_agent(self) -> bool:
        return "agent" in self.settings

    @property
    def about(self) -> dict[str, Any]:
        """Its one table."""
        found: dict[str, Any] = self.settings.get("agent") or self.settings.get("workflow") or {}
        return found

    @property
    def forwards(self) -> str:
        found = _FORWARDS.search(MATTER.match(self.text)[1])  # type: ignore[index]
        return found[1] if found else ""

    @property
    def steps(self) -> list[str]:
        return sorted(name for name in self.files if _STEP.fullmatch(name))

    @property
    def menu(self) -> dict[str, tuple[str, str]]:
        """By code what an agent is asked, and the skill that it then carries out."""
        found = {}
        for item in self.about.get("menu", ()):
            asked = item.get("prompt", "")
            named = _INVOKES.search(asked)
            skill = item.get("skill") or (named[1] if named else "")
            found[item["code"]] = (f"{item['description']}\n\n{asked}".strip(), skill)
        return found


@dataclass(frozen=True)
class Row:
    """A line of a module's table; `after` and `before` name skills, `makes` is a document."""

    module: str
    skill: str
    phase: str
    after: str
    before: str
    required: bool
    makes: str


def skills(folder: Path) -> dict[str, Skill]:
    """All skills by their folder's name."""
    found = {}
    for path in sorted(folder.rglob("SKILL.md")):
        table = path.with_name("customize.toml")
        settings = tomllib.loads(table.read_text("utf-8")) if table.exists() else {}
        files = {
            each.relative_to(path.parent).as_posix(): each.read_text("utf-8")
            for each in sorted(path.parent.rglob("*"))
            if each.is_file() and each not in (path, table) and each.suffix != ".json"
        }
        own = path.parent.name
        found[own] = Skill(own, path.read_text("utf-8"), settings, files)
    return found


def owners(every: dict[str, Skill]) -> dict[str, Skill]:
    """Who carries a skill out: the first agent that has it on its menu."""
    found: dict[str, Skill] = {}
    for skill in every.values():
        for _, name in skill.menu.values():
            found.setdefault(name, skill)
    return found


def rows(folder: Path) -> list[Row]:
    """The lines of all tables that have a place in an order, as they stand there."""
    found = []
    for path in sorted(folder.rglob("module-help.csv")):
        for row in csv.DictReader(path.read_text("utf-8").splitlines()):
            if row["phase"] not in ("", "anytime"):
                makes = "-".join(row["outputs"].lower().split())
                edges = (row["preceded-by"], row["followed-by"])
                is_required = row["required"] == "true"
                found.append(
                    Row(row["module"], row["skill"], row["phase"], *edges, is_required, makes)
                )
    return found


def body(text: str, left_out: frozenset[str]) -> str:
    """A text without front-matter, where paths lead, and the sections of these titles."""
    text = _LEADS.sub("", MATTER.sub("", text))
    starts = [*_HEADING.finditer(text)]
    ends = [*(each.start() for each in starts), len(text)][1:]
    for heading, end in reversed([*zip(starts, ends, strict=True)]):
        if heading[1].strip() in left_out:
            text = text[: heading.start()] + text[end:]
    return text


def own_values(text: str) -> dict[str, str]:
    """What a step's front-matter gives the names that its text has in braces."""
    matter = MATTER.match(text)
    found = dict(re.findall(r"^(\w+): *'([^'\n]+)' *$", matter[1] if matter else "", re.MULTILINE))
    return {key: value for key, value in found.items() if f"{{{key}}}" in text}


def pieces(text: str) -> Iterator[str]:
    """What stands word for word in all that is made of a text, squashed, line by line."""
    for line in text.splitlines():
        for piece in _FILLED.split(line):
            found = squashed(piece)
            if len(found) >= _LEAST:
                yield found


def leaves(value: Any) -> Iterator[str]:
    """All texts of a setting."""
    if isinstance(value, dict):
        for each in value.values():
            yield from leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each)
    elif isinstance(value, str):
        yield value
