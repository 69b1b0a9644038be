"""JSON bodies: what is refused, and that what is accepted comes back equal."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.runtime.api.jsontext import MAX_DEPTH, MAX_NODES, JSONFault, dump, parse

CLEAN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | CLEAN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(CLEAN, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_accepted_values_come_back_equal(value: object, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert parse(text) == value
    assert parse(dump(value)) == value


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_dumped_text_is_one_line_of_ascii(text: str) -> None:
    line = dump({"text": text})
    assert line.isascii()
    assert not set(line) & set(range(32))
    assert json.loads(line) == {"text": text}


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_fault(data: bytes) -> None:
    try:
        value = parse(data)
    except JSONFault:
        return
    assert value == json.loads(data)


HOSTILE = {
    "nan": b'{"a": NaN}',
    "infinity": b"[Infinity, -Infinity]",
    "beyond a double": b"[1e999]",
    "minus beyond a double": b"-1e999",
    "lone surrogate": b'"\\ud800"',
    "surrogate as a key": b'{"\\udfff": 1}',
    "surrogates the wrong way round": b'["\\udc00\\ud800"]',
    "NUL": b'["a\\u0000b"]',
    "raw NUL": b'"a\x00b"',
    "duplicate keys": b'{"a": 1, "a": 2}',
    "duplicate keys in spellings": b'{"a": 1, "\\u0061": 2}',
    "long integer": b"1" * 5000,
    "depth 65": b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
    "depth 900": b"[" * 900 + b"]" * 900,
    "depth 100000": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "many objects": b"[" + b"{}," * 3_000_000 + b"{}]",
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "UTF-32": '{"a": 1}'.encode("utf-32"),
    "byte order mark": b'\xef\xbb\xbf{"a": 1}',
    "trailing data": b'{"a": 1} {"b": 2}',
    "trailing comma": b"[1,]",
    "latin-1": '"ä"'.encode("latin-1"),
    "overlong UTF-8": b'"\xc0\xaf"',
    "surrogate in UTF-8": b'"\xed\xa0\x80"',
    "single quotes": b"{'a': 1}",
    "comment": b"1 // one",
    "nothing": b"",
    "white space": b" \n",
    "hexadecimal": b"0x10",
    "control character": b'"a\nb"',
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bodies_are_faults(body: bytes) -> None:
    with pytest.raises(JSONFault):
        parse(body)


def test_the_bounds_themselves_are_accepted() -> None:
    deep = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert parse(deep) == json.loads(deep)
    wide = json.dumps([0] * (MAX_NODES - 1)).encode()
    assert len(parse(wide)) == MAX_NODES - 1


def test_brackets_and_commas_inside_a_text_are_not_counted() -> None:
    text = "[{" * 200_000 + ',\\"' * 200_000
    assert parse(json.dumps({"a": text}).encode()) == {"a": text}


def test_a_fault_quotes_nothing_of_the_body() -> None:
    with pytest.raises(JSONFault) as caught:
        parse(b'{"a": "sk-secret", }')
    assert "sk-secret" not in str(caught.value)


def test_numbers_that_json_cannot_hold_are_never_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        dump(math.nan)
