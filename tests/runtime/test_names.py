"""Scopes, keys and documents as file names."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scripts.runtime.errors import InvalidName
from scripts.runtime.spec import ID_PATTERN, NAME_PATTERN, id_key, is_story_id
from scripts.runtime.stores.names import (
    Scope,
    check_key,
    document_file,
    document_of,
    parse_scope,
    scope_of,
)

AGENT_IDS = st.from_regex(ID_PATTERN, fullmatch=True).filter(
    lambda text: len(text) <= 64 and id_key(text) != "shared"
)
STORY_IDS = st.one_of(
    st.from_regex(NAME_PATTERN, fullmatch=True), st.text("a_.-B", min_size=1, max_size=100)
).filter(is_story_id)
NAMES = st.from_regex(NAME_PATTERN, fullmatch=True).filter(
    lambda text: len(text) <= 200 and not text.endswith(".")
)
SCOPES = st.one_of(
    st.tuples(AGENT_IDS, STORY_IDS).map(":".join), NAMES.map(lambda name: f"shared:{name}")
)
HOSTILE = [
    "",
    ".",
    "..",
    "../x",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "a b",
    "a\n",
    "a\x00",
    "-rf",
    "_a",
    ".a",
    "a.",
    "é",
    "ａ",
    "a%2e",
    "*",
    "?",
    "[a]",
    "a:b:c",
    "a" * 1_000_000,
]


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("analyst:S-1", ("isolated", "analyst_S-1.jsonl")),
        ("a_b:c_d", ("isolated", "a_b_c%5Fd.jsonl")),
        ("shared:requirements", ("shared", "requirements.jsonl")),
        ("shared:a_b", ("shared", "a_b.jsonl")),
    ],
)
def test_files(text: str, scope: tuple[str, str]) -> None:
    assert parse_scope(text) == Scope(text, *scope)  # type: ignore[arg-type]


@given(SCOPES, SCOPES)
def test_no_two_scopes_share_a_file(first: str, second: str) -> None:
    assume(first != second)
    one, two = parse_scope(first), parse_scope(second)
    assert (one.folder, one.file) != (two.folder, two.file)


@given(SCOPES)
def test_every_file_name_fits(text: str) -> None:
    scope = parse_scope(text)
    assert len(scope.file.encode()) <= 255
    assert "/" not in scope.file
    assert not scope.file.startswith(".")


def test_longest_scope() -> None:
    names = {parse_scope(f"{'a' * 64}:{'x_' * 49}{last}").file for last in ("y", "z", "-y", "y1")}
    assert len(names) == 4
    assert all(len(name) <= 255 for name in names)


@pytest.mark.parametrize("part", HOSTILE)
def test_hostile_names_are_refused(part: str) -> None:
    for text in (part, f"{part}:S-1", f"shared:{part}", f"analyst:{part}"):
        with pytest.raises(InvalidName):
            parse_scope(text)
    with pytest.raises(InvalidName):
        check_key(part)
    with pytest.raises(InvalidName):
        document_file(part)


@pytest.mark.parametrize("text", ["Shared:x", "SHARED:x", "a:b__c", "analyst:" + "a" * 101])
def test_refused_scopes(text: str) -> None:
    with pytest.raises(InvalidName):
        parse_scope(text)


@given(st.text(max_size=20))
def test_any_text_is_a_scope_or_refused(text: str) -> None:
    try:
        scope = parse_scope(text)
    except InvalidName:
        return
    assert scope.text == text


@given(NAMES)
def test_documents_and_files_go_back_and_forth(document_id: str) -> None:
    assert document_of(document_file(document_id)) == document_id


@pytest.mark.parametrize("file", ["guide", ".x.md", "a b.md", "prd.MD", "prd.txt", ".md", "-a.md"])
def test_foreign_files_are_no_documents(file: str) -> None:
    assert document_of(file) is None


def test_scope_of_an_agent() -> None:
    assert scope_of("isolated", "analyst", "S-1") == "analyst:S-1"
    assert scope_of("shared:notes", "analyst", "S-1") == "shared:notes"
