"""A foreign Markdown file: its front-matter, its body, and the sections that are for a person."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Final, NamedTuple

from ....runtime.yamltext import Mapping, Node
from ...frontmatter import NotClosed, split
from .. import lenient
from ..draft import Draft, Origin
from ..tree import ForeignTree
from .fields import keys_of

_HEADING: Final = re.compile(r"^(#{1,6})[ \t]+(.*?)[ \t]*#*$")
_KEYED: Final = re.compile(r"---[ \t]*\n[A-Za-z][\w-]*:(?:[ \t]|\n)")
_FENCE: Final = re.compile(r"^[ \t]{0,3}(`{3,}|~{3,})")
_STEP: Final = re.compile(r"^(?:step\s+)?[\d.]+[:.)]?\s*", re.IGNORECASE)
# What a service does by itself, or has nobody to do it for.
_FOR_A_PERSON: Final = (
    "resolve the agent block",
    "resolve the workflow block",
    "execute prepend steps",
    "execute append steps",
    "load persistent facts",
    "load config",
    "greet the user",
    "configuration loading",
)
# Where names in braces lead, which are filled in: "- `{skill-root}` resolves to this folder."
_RULES: Final = ("conventions", "resolution rules")
_LEADS: Final = re.compile(
    r"^[-*] +(?:Bare paths? |`\{[\w-]+\}`)[^\n]*?\bresolves? (?:from|to)\b[^\n]*\n?", re.MULTILINE
)


class Page(NamedTuple):
    """`keys` are those of the front-matter, `matter` its mapping; `line` is the body's first."""

    keys: dict[str, Node]
    matter: Mapping | None
    body: str
    line: int


def page(tree: ForeignTree, path: str) -> Page:
    """The parts of a file; broken front-matter was reported, and is then none."""
    text = tree.text(path) or ""
    text, skipped = _from_matter(text)
    try:
        matter = split(text)
    except NotClosed:
        if _KEYED.match(text):
            at = tree.at(path, 1 + skipped)
            message = "front-matter begins here and is not closed: the file is read without it"
            tree.diagnostics.add("BMAD601", at, message, "write --- below it")
        return Page({}, None, text, 1 + skipped)
    if matter.yaml is None:
        return Page({}, None, matter.body, 1 + skipped)
    root = lenient.mapping(tree, path, matter.yaml, matter.yaml_line + skipped)
    return Page(keys_of(root), root, matter.body, matter.body_line + skipped)


def _from_matter(text: str) -> tuple[str, int]:
    """`text` from its front-matter on, where only blank lines and comments stand before that."""
    found = re.match(r"(?:[ \t]*\n|<!--(?:(?!-->).)*-->[ \t]*\n?)+(?=---[ \t]*\n)", text, re.DOTALL)
    if found is None:
        return text, 0
    return text[found.end() :], text.count("\n", 0, found.end())


class Section(NamedTuple):
    """A heading and what stands below it, up to the next heading of any level.

    `line` is that of the heading, from 0.
    """

    level: int
    title: str
    text: str
    line: int = 0


def sections(body: str) -> list[Section]:
    """The sections of a text; what stands before the first heading has level 0."""
    found = [Section(0, "", "")]
    lines: list[str] = []
    fence = ""
    for number, line in enumerate(body.split("\n")):
        mark = _FENCE.match(line)
        if mark:
            fence = "" if fence and mark[1].startswith(fence) else fence or mark[1]
        heading = None if fence or mark else _HEADING.match(line)
        if heading is None:
            lines.append(line)
            continue
        found[-1] = found[-1]._replace(text="\n".join(lines))
        found.append(Section(len(heading[1]), heading[2], "", number))
        lines = [line]
    found[-1] = found[-1]._replace(text="\n".join(lines))
    return found


def without(body: str, more: Container[str] = ()) -> tuple[str, list[Section]]:
    """The text without sections for a person (and those titled as in `more`), and these.

    A section goes with all that stands below it; one of conventions if it only tells where names
    lead.
    """
    kept: list[str] = []
    dropped: list[Section] = []
    below = 0  # the level of the section that goes
    for section in sections(body):
        title = _STEP.sub("", section.title).strip().lower()
        if below and (section.level > below or section.level == 0):
            continue
        below = 0
        if section.level and (title in more or title.startswith(_FOR_A_PERSON)):
            below = section.level
            dropped.append(section)
            continue
        text = _LEADS.sub("", section.text) if title in _RULES else section.text
        if text is not section.text and not text.partition("\n")[2].strip():
            dropped.append(section)
            continue
        kept.append(text)
    return "\n".join(kept).strip("\n"), dropped


def tell_dropped(draft: Draft, path: str, line: int, dropped: list[Section]) -> int:
    """Say of each section that it was left out, and how many there are; `line` is the body's."""
    for section in dropped:
        at = Origin(path, line + section.line)
        why = "it is for a person, or the service does it by itself"
        draft.account(at, "section", section.title, "left", why)
    return len(dropped)
