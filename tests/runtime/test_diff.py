"""Differences: `patch` leads from one text to the other, whatever the two are."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.runtime import diff as diff_module
from scripts.runtime.diff import unified

NAMES = ("a.md", "b.md")
# Few letters, so that texts have lines in common; and all that other tools take for a line's end.
TEXTS = st.text(st.sampled_from("ab\n\n\n-+@ \r\x0b\x0c\x1c\x85\u2028"), max_size=120)


def applied(before: str, diff: str) -> str:
    """What a diff makes of a text, by its own words; fails where they do not fit."""
    old = before.split("\n")
    found: list[str] = []
    place = 0
    lines = diff.split("\n")[2:]
    for number, line in enumerate(lines):
        cut = number + 1 < len(lines) and lines[number + 1].startswith("\\ ")
        text = line[1:] + ("" if cut else "\n")
        if line.startswith("@@"):
            start, _, length = line.split()[1][1:].partition(",")
            first = int(start) - (length != "0")
            found += [f"{each}\n" for each in old[place:first]]
            place = first
        elif line[:1] in (" ", "-"):
            assert old[place] == line[1:]
            assert cut == (place == len(old) - 1), "only the last line may have no end"
            place += 1
            if line[0] == " ":
                found.append(text)
        elif line[:1] == "+":
            found.append(text)
    rest = "\n".join(old[place:])
    return "".join(found) + rest


@given(TEXTS, TEXTS)
def test_it_leads_from_one_to_the_other(before: str, after: str) -> None:
    diff = unified(before, after, NAMES)
    assert (diff == "") is (before == after)
    if diff:
        assert applied(before, diff) == after


@settings(max_examples=25, deadline=None)
@given(TEXTS, TEXTS)
@pytest.mark.skipif(shutil.which("patch") is None, reason="patch is not installed")
def test_patch_reads_it(tmp_path_factory: pytest.TempPathFactory, before: str, after: str) -> None:
    folder = tmp_path_factory.mktemp("patch")
    file = folder / "a.md"
    file.write_bytes(before.encode())
    diff = unified(before, after, NAMES).encode()
    if diff:
        run(folder, diff)
    assert (file.read_bytes() if file.exists() else b"").decode() == after


def run(folder: Path, diff: bytes) -> None:
    command = ["patch", "--binary", "-s", "-F0", "a.md"]
    done = subprocess.run(command, cwd=folder, input=diff, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout


def test_far_changes_are_hunks_of_their_own() -> None:
    lines = [f"{number}\n" for number in range(100)]
    changed = [*lines]
    changed[10], changed[90] = "ten\n", "ninety\n"
    diff = unified("".join(lines), "".join(changed), NAMES)
    assert [line for line in diff.splitlines() if line.startswith("@@")] == [
        "@@ -8,7 +8,7 @@",
        "@@ -88,7 +88,7 @@",
    ]


def test_what_would_take_for_ever_counts_as_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diff_module, "MAX_PAIRS", 3)
    diff = unified("x\na\nb\ny\n", "x\nb\nc\ny\n", NAMES)
    assert diff.splitlines()[3:] == [" x", "-a", "-b", "+b", "+c", " y"]
    assert applied("x\na\nb\ny\n", diff) == "x\nb\nc\ny\n"


def test_large_texts_come_to_an_end() -> None:
    """Without the bound this would take hours."""
    before = "".join(f"{number % 997}\n" for number in range(200_000))
    after = "".join(f"{number % 991}\n" for number in range(200_000))
    assert applied(before, unified(before, after, NAMES)) == after
