"""Checks user stories for form, so that reviewers can think about their content."""

from __future__ import annotations

import re
from typing import TypedDict

HEADING = re.compile(r"^##[ \t]+(\S.*)$", re.MULTILINE)
ROLE = re.compile(r"\bas an?\s+(?=\w)", re.IGNORECASE)
WISH = re.compile(r"\bi want\s+(?=\w)", re.IGNORECASE)
BENEFIT = re.compile(r"\bso that\s+(?=\w)", re.IGNORECASE)
AND = re.compile(r"\band\b", re.IGNORECASE)
CRITERIA = re.compile(r"^[^\w\n]*acceptance criteria[^\w\n]*$", re.IGNORECASE | re.MULTILINE)
ITEM = re.compile(r"^[ \t]*(?:[-*+]|\d+[.)])[ \t]+(.+)$", re.MULTILINE)
SIZE = re.compile(r"^[^\w\n]*size[^\w\n]+(\w+)", re.IGNORECASE | re.MULTILINE)
VAGUE = re.compile(
    r"\b(?:fast|quickly|easy|easily|simple|intuitive|user-friendly|nice|properly"
    r"|appropriate|as needed|and so on|etc)\b",
    re.IGNORECASE,
)
SIZES = ("S", "M")
FEWEST, MOST = 2, 6


class Finding(TypedDict):
    """Something to mend: in which story, which rule, and what to do."""

    story: str
    rule: str
    message: str


class Report(TypedDict):
    """How many stories were read, and what was found in them."""

    stories: int
    findings: list[Finding]


def check_stories(text: str) -> Report:
    """Check the form of user stories in Markdown: their sentences, criteria, sizes and titles.

    Every "## " section is one story. Findings are a missing or incomplete "As a …, I want …,
    so that …", too few, too many or vague acceptance criteria, a size that is missing or too
    large, and a title that is used twice. No findings means that the form is right; it says
    nothing about the content.
    """
    stories = _split(text)
    findings: list[Finding] = []
    seen: set[str] = set()
    for title, body in stories:
        name = re.sub(r"^\d+[.)]\s*", "", title).casefold()
        if name in seen:
            findings.append(_finding(title, "title", "another story has this title"))
        seen.add(name)
        findings += _sentence(title, body) + _criteria(title, body) + _size(title, body)
    if not stories:
        findings.append(_finding("", "stories", 'no story found: start each with a "## " heading'))
    return {"stories": len(stories), "findings": findings}


def _finding(story: str, rule: str, message: str) -> Finding:
    return {"story": story, "rule": rule, "message": message}


def _split(text: str) -> list[tuple[str, str]]:
    """Title and body of each "## " section."""
    _, *parts = HEADING.split(text)
    return list(zip(parts[::2], parts[1::2], strict=True))


def _sentence(title: str, body: str) -> list[Finding]:
    intro = CRITERIA.split(body)[0]
    role = ROLE.search(intro)
    wish = WISH.search(intro, role.end()) if role else None
    benefit = BENEFIT.search(intro, wish.end()) if wish else None
    if wish is None or benefit is None:
        message = 'write "As a <role>, I want <one thing>, so that <benefit>."'
        return [_finding(title, "sentence", message)]
    if len(AND.findall(intro[wish.end() : benefit.start()])) > 1:
        return [_finding(title, "sentence", "the wish holds several things: cut the story")]
    return []


def _criteria(title: str, body: str) -> list[Finding]:
    head = CRITERIA.search(body)
    items = ITEM.findall(body[head.end() :]) if head else []
    if len(items) < FEWEST:
        return [_finding(title, "criteria", f"give at least {FEWEST} acceptance criteria")]
    findings = []
    if len(items) > MOST:
        message = f"{len(items)} acceptance criteria: cut the story until {MOST} are enough"
        findings.append(_finding(title, "criteria", message))
    for item in items:
        if vague := VAGUE.search(item):
            message = f'"{vague.group()}" cannot be tested in "{item.strip()}": say what is seen'
            findings.append(_finding(title, "criteria", message))
    return findings


def _size(title: str, body: str) -> list[Finding]:
    found = SIZE.search(body)
    if found is None:
        return [_finding(title, "size", f'add a line "Size: {SIZES[0]}" or "Size: {SIZES[1]}"')]
    if found.group(1).upper() not in SIZES:
        return [_finding(title, "size", f"size {found.group(1)} is too large: cut the story")]
    return []
