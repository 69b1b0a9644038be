"""Where front-matter ends and the prompt begins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.compiler.frontmatter import FrontMatter, NotClosed, split

SPLIT = {
    "---\nid: a\n---\nBody\n": FrontMatter("id: a\n", 2, "Body\n", 4),
    "---  \nid: a\n---\t \nBody": FrontMatter("id: a\n", 2, "Body", 4),
    "\ufeff---\nid: a\n---\nBody": FrontMatter("id: a\n", 2, "Body", 4),
    "---\r\nid: a\r\n---\r\nA\r\nB\rC": FrontMatter("id: a\r\n", 2, "A\r\nB\rC", 4),
    "---\n---\n": FrontMatter("", 2, "", 3),
    "---\n---": FrontMatter("", 2, "", 2),
    "---\nid: a\n---\n\n\nB\n---\nC\n---\n": FrontMatter("id: a\n", 2, "\n\nB\n---\nC\n---\n", 4),
    "---\na: 1\n...\n---\nB": FrontMatter("a: 1\n...\n", 2, "B", 5),
    "---\na: '\n ---\n'\n---\nB": FrontMatter("a: '\n ---\n'\n", 2, "B", 6),
    "Just text\n---\nid: a\n---\n": FrontMatter(None, 1, "Just text\n---\nid: a\n---\n", 1),
    "\n---\nid: a\n---\n": FrontMatter(None, 1, "\n---\nid: a\n---\n", 1),
    " ---\nid: a\n---\n": FrontMatter(None, 1, " ---\nid: a\n---\n", 1),
    "----\nid: a\n---\n": FrontMatter(None, 1, "----\nid: a\n---\n", 1),
    "--- id: a\n---\n": FrontMatter(None, 1, "--- id: a\n---\n", 1),
    "\ufeffText \ufeff": FrontMatter(None, 1, "Text \ufeff", 1),
    "": FrontMatter(None, 1, "", 1),
}


@pytest.mark.parametrize("text", SPLIT)
def test_a_file_has_two_parts(text: str) -> None:
    assert split(text) == SPLIT[text]


NEVER_CLOSED = [
    "---",
    "---\n",
    "---\nid: a\n",
    "---\nid: a\n...\nBody\n",
    "---\nid: a\n ---\n",
    "---\nid: a\n----\n",
    "---\rid: a\r---\rBody",
    "---\rid: a\n---\nBody",
    "---\nid: a\n---\rBody",
]


@pytest.mark.parametrize("text", NEVER_CLOSED)
def test_what_is_opened_must_be_closed(text: str) -> None:
    with pytest.raises(NotClosed):
        split(text)


@given(st.text(), st.sampled_from(["\n", "\r\n"]))
def test_the_prompt_is_kept_as_it_stands(body: str, end: str) -> None:
    found = split(f"---{end}id: a{end}---{end}{body}")
    assert (found.yaml, found.body, found.body_line) == (f"id: a{end}", body, 4)


@given(st.text())
def test_without_front_matter_all_is_prompt(text: str) -> None:
    assert split("Hi " + text) == FrontMatter(None, 1, "Hi " + text, 1)
