"""Texts as JSON strings: long or short, plain or not, what json.dumps writes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.runtime.stores.jsonstring import json_string

ASCII = st.characters(max_codepoint=127)


@given(st.text(ASCII, max_size=20), st.integers(0, 40))
def test_plain_text_is_written_as_json_writes_it(text: str, times: int) -> None:
    assert json_string(text * times) == json.dumps(text * times)


@given(st.text(st.characters(), max_size=20), st.integers(0, 40))
def test_any_text_is_written_as_json_writes_it(text: str, times: int) -> None:
    assert json_string(text * times) == json.dumps(text * times)


@pytest.mark.parametrize("character", [*map(chr, range(128)), "é", "—", "😀", "\ud800"])
def test_each_character_in_a_long_text(character: str) -> None:
    text = f"{'so it was ' * 50}{character}{' and so on' * 50}"
    assert json_string(text) == json.dumps(text)
