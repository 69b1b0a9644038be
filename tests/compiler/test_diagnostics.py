"""Findings, and the page that each code has: its examples are compiled."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.compiler.diagnostics import CODES, Diagnostics, Position
from tests.compiler.reading import read
from tests.project import ROOT

PAGES = ROOT / "docs" / "guide" / "diagnostics"
BLOCK = re.compile(r"^`(\S+)`\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What these are about is no text: encodings, links, folders, the output.
SHOWN_IN_WORDS = {"BMAD101", "BMAD102", "BMAD113"} | {code for code in CODES if code > "BMAD499"}


def test_every_code_has_a_page() -> None:
    pages = {path.name for path in PAGES.iterdir()} - {"README.md"}
    assert sorted(pages) == sorted(f"{code}.md" for code in CODES)


@pytest.mark.parametrize("code", CODES)
def test_a_page_says_what_and_shows_how(code: str) -> None:
    text = (PAGES / f"{code}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {code}: {CODES[code][1]}\n\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Instead of", "Write"]


@pytest.mark.parametrize("code", sorted(CODES.keys() - SHOWN_IN_WORDS))
def test_the_examples_of_a_page_hold(tmp_path: Path, code: str) -> None:
    text = (PAGES / f"{code}.md").read_text(encoding="utf-8")
    wrong, right = text.split("## Write")
    for part, folder in ((wrong, "wrong"), (right, "right")):
        (tmp_path / folder).mkdir()
        files = dict(BLOCK.findall(part))
        assert files
        _, found = read(tmp_path / folder, files)
        assert (code in {each.code for each in found}) == (folder == "wrong")
        assert folder == "wrong" or [each for each in found if each.severity == "error"] == []


def test_findings_are_sorted_and_told_once() -> None:
    diagnostics = Diagnostics()
    for line in (3, 1, 2, 1):
        diagnostics.add("BMAD108", Position("a", line, 1), "message")
    diagnostics.add("BMAD101", Position("B"), "message")
    assert [(each.path, each.line) for each in diagnostics] == [
        ("B", 0),
        ("a", 1),
        ("a", 2),
        ("a", 3),
    ]
    assert len(diagnostics) == 4
    assert diagnostics.has("error")
    assert not diagnostics.has("warning")


def test_codes_are_grouped_by_their_hundreds() -> None:
    assert list(CODES) == sorted(CODES)
    assert {code[:5] for code in CODES} == {f"BMAD{number}" for number in range(1, 7)}
