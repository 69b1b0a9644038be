"""A document's template in YAML, as BMAD writes it: the outline that a model is shown.

    template: {id: prd, name: Product Requirements, output: {filename: docs/prd.md}}
    sections:
      - {id: goals, title: Goals, instruction: …, type: bullet-list}
      - {id: epics, title: "Epic {{epic_number}}", repeatable: true, sections: […]}

Nothing is filled in: `{{…}}` is left for the model. A leaf: it imports the reader of YAML only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .yamltext import read, to_data

MAX_DEPTH: Final = 6  # Markdown has no deeper headings
_HOW: Final = (
    "Write the document by this outline: its sections, in this order, each under its heading. "
    "What stands in brackets tells what to write there and is not copied."
)
_SAID: Final = frozenset({"id", "title", "instruction", "sections", "template", "content"})
_LABELS: Final = {
    "type": "Form",
    "condition": "Only if",
    "repeatable": "Repeat",
    "elicit": "",
    "columns": "Columns",
    "prefix": "Prefix",
    "choices": "Choices",
    "examples": "Examples",
    "owner": "Written by",
    "editors": "Changed by",
    "readonly": "Fixed",
}
_HEADING: Final = re.compile(r"^[ \t]{0,3}#{1,6}[ \t]+(.+?)[ \t]*#*[ \t]*$", re.MULTILINE)
_BARE: Final = re.compile(r"[^\w]+")
_NUMBER: Final = re.compile(r"^[\d.]+\s+")


@dataclass(frozen=True, slots=True)
class Outline:
    """`text` is shown to a model; `headings` are the lines that its document must have."""

    title: str
    filename: str
    text: str
    headings: tuple[str, ...]

    def missing(self, document: str) -> tuple[str, ...]:
        """The titles of sections that a document lacks, in the template's order."""
        there = {_bare(found) for found in _HEADING.findall(document)}
        titles = (heading.lstrip("# ") for heading in self.headings)
        return tuple(title for title in titles if not _is_there(title, there))


def is_outlined(name: str) -> bool:
    """Whether the file of this name, `<kind>/<file>`, may be such a template."""
    return name.startswith("templates/") and name.endswith((".yaml", ".yml"))


def outline(text: str) -> Outline | None:
    """The outline of a template; None when the text is no template of this kind."""
    root, faults = read(text)
    if faults or not isinstance(data := to_data(root), dict):
        return None
    sections = data.get("sections")
    about = data.get("template")
    if not isinstance(sections, list) or not isinstance(about, dict):
        return None
    out = about.get("output")
    output: Mapping[str, Any] = out if isinstance(out, dict) else {}
    title = str(output.get("title") or about.get("name") or "")
    lines = [
        _HOW,
        "",
    ]
    lines += [f"# {title}", ""] if title else []
    lines += _lines(sections, 2)
    headings = tuple(_headings(sections, 2))
    return Outline(
        title, str(output.get("filename") or ""), "\n".join(lines).rstrip() + "\n", headings
    )


def _lines(sections: Sequence[Any], depth: int) -> Iterator[str]:
    for section in sections:
        if not isinstance(section, dict):
            continue
        title = str(section.get("title") or "")
        if title:
            yield f"{'#' * min(depth, MAX_DEPTH)} {title}"
            yield ""
        yield from _told(section)
        inner = section.get("sections")
        if isinstance(inner, list):
            yield from _lines(inner, depth + 1 if title else depth)


def _told(section: Mapping[str, Any]) -> Iterator[str]:
    """What a section says of itself, each remark as a paragraph in brackets."""
    if section.get("instruction"):
        yield f"[{str(section['instruction']).strip()}]"
        yield ""
    remarks = [_remark(key, value) for key, value in section.items() if key not in _SAID]
    said = "; ".join(remark for remark in remarks if remark)
    if said:
        yield f"[{said}]"
        yield ""
    for key in ("content", "template"):
        if isinstance(section.get(key), str):
            yield section[key].rstrip()
            yield ""


def _remark(key: str, value: Any) -> str:
    label = _LABELS.get(key, key.replace("_", " ").replace("-", " ").capitalize())
    if not label or value in (None, False, "", []):
        return ""
    if key == "repeatable":
        return "Repeat this section, once for each"
    return f"{label}: {_words(value)}"


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_words(inner)}" for key, inner in value.items())
    return str(value).strip()


def _headings(sections: Sequence[Any], depth: int) -> Iterator[str]:
    """The headings of sections that every document of this template has."""
    for section in sections:
        if not isinstance(section, dict) or section.get("condition") or section.get("repeatable"):
            continue
        title = str(section.get("title") or "")
        if "{{" in title or section.get("optional"):
            continue
        if title:
            yield f"{'#' * min(depth, MAX_DEPTH)} {title}"
        inner = section.get("sections")
        if isinstance(inner, list):
            yield from _headings(inner, depth + 1 if title else depth)


def _is_there(title: str, there: set[str]) -> bool:
    fixed, choice, _ = title.partition("{")
    if not choice:
        return _bare(title) in there
    return any(heading.startswith(_bare(fixed)) for heading in there)  # `Style: {one|other}`


def _bare(title: str) -> str:
    return _BARE.sub(" ", _NUMBER.sub("", title.strip())).strip().casefold()
