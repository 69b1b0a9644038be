"""YAML: what is read, what is refused, and that nothing else happens."""

from __future__ import annotations

import math
import resource
import subprocess
import sys
import textwrap
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scripts.runtime import yamltext
from scripts.runtime.yamltext import YamlError, parse, read, to_data
from tests.project import ROOT


@pytest.fixture(params=["libyaml", "pure"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of reading: PyYAML may have been built without libyaml."""
    if request.param == "pure":
        monkeypatch.setattr(yamltext, "_PARSER", yaml.SafeLoader)
    return str(request.param)


def data(text: str) -> Any:
    return to_data(parse(text))


def faults(text: str) -> list[tuple[str, int, int]]:
    return [(fault.kind, fault.line, fault.column) for fault in read(text)[1]]


SCALARS = {
    "no": "no",
    "on": "on",
    "Yes": "Yes",
    "off": "off",
    "true": True,
    "False": False,
    "null": None,
    "~": None,
    "": None,
    "010": 10,
    "0o17": 15,
    "0x1F": 31,
    "-7": -7,
    "+7": 7,
    "1_000": "1_000",
    "0b11": "0b11",
    "1:30": "1:30",
    "2001-12-14": "2001-12-14",
    "1.5": 1.5,
    ".5": 0.5,
    "1.": 1.0,
    "1e3": 1000.0,
    ".inf": math.inf,
    "-.INF": -math.inf,
    "=": "=",
    "'12'": "12",
    '"true"': "true",
    "text with spaces  ": "text with spaces",
    "9" * 400: math.inf,
    "-" + "9" * 5000: -math.inf,
}


@pytest.mark.parametrize("text", SCALARS)
def test_scalars_follow_the_core_schema(parser: str, text: str) -> None:
    value = data(f"key: {text}")["key"]
    assert value == SCALARS[text]
    assert type(value) is type(SCALARS[text])


def test_nan_is_a_number(parser: str) -> None:
    assert math.isnan(data("[.nan]")[0])


def test_on_is_a_key(parser: str) -> None:
    assert data("on: {yes: writer, no: end}") == {"on": {"yes": "writer", "no": "end"}}


def test_every_node_has_its_place(parser: str) -> None:
    root, found = read("id: analyst\nwait_for:\n  docs: [a, 'b']\n", first_line=2)
    assert found == ()
    assert isinstance(root, yamltext.Mapping)
    (id_key, id_value), (_, waits) = root.entries
    assert (id_key.line, id_key.column, id_value.line, id_value.column) == (2, 1, 2, 5)
    assert isinstance(waits, yamltext.Mapping)
    docs = waits.entries[0][1]
    assert isinstance(docs, yamltext.Sequence)
    assert [(item.line, item.column) for item in docs.items] == [(4, 10), (4, 13)]


def test_crlf_ends_a_line(parser: str) -> None:
    root, _ = read("a: 1\r\nb: 2\r\n")
    assert isinstance(root, yamltext.Mapping)
    assert [(key.line, key.column) for key, _ in root.entries] == [(1, 1), (2, 1)]


def test_nothing_is_none(parser: str) -> None:
    assert [parse(text) for text in ("", "# only this\n", "\ufeff")] == [None, None, None]


REFUSED = {
    "a: &x 1": [("reference", 1, 4)],
    "a: *x": [("reference", 1, 4)],
    "&x [*x]": [("reference", 1, 1)],  # one finding a file: a bomb has a million
    "<<: {a: 1}": [("reference", 1, 1)],
    "a: !!python/object/apply:os.system [id]": [("reference", 1, 4)],
    "a: ! text": [("reference", 1, 4)],
    "%YAML 1.1\n---\na: 1": [("reference", 1, 1)],
    "a: 1\nb: 2\na: 3": [("duplicate", 3, 1)],
    "1: a\n'1': b": [("duplicate", 2, 1)],
    "x: {a: 1, a: 1}": [("duplicate", 1, 11)],
    "a: 1\n---\nb: 2": [("syntax", 2, 1)],
    "? [a]\n: b": [("syntax", 1, 3)],
    "a: \x07": [("character", 1, 4)],
    "a: 1\nb: \u2028": [("character", 2, 4)],
    "a: 1\rb: 2": [("character", 1, 5)],
    "a: \ud800": [("character", 1, 4)],
    "a: \ufeff": [("character", 1, 4)],
    "a: 'never closed\n": [("syntax", 1, 4)],
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused_is_told_with_its_place(parser: str, text: str) -> None:
    assert faults(text) == REFUSED[text]


def test_a_duplicate_key_names_both_lines(parser: str) -> None:
    with pytest.raises(YamlError, match="stands twice: on line 1 and here") as caught:
        parse("a: 1\nb: 2\na: 3")
    assert caught.value.faults[0].line == 3


@pytest.mark.parametrize("text", ["a:\n    b: 1\n   c: 2\nd: 3\n", "- a\n - b\nc: 1\n"])
def test_an_indent_that_may_be_wrong_above_says_so(parser: str, text: str) -> None:
    (found,) = read(text)[1]
    assert found.line == 3
    assert "of this line and the one above" in found.hint


def test_a_tag_is_named(parser: str) -> None:
    messages = [fault.message for fault in read("a: !!binary aGk=\nb: !include x")[1]]
    assert messages == ['a tag is not allowed: "!!binary"', 'a tag is not allowed: "!include"']


def test_an_alias_bomb_is_no_more_than_its_text(parser: str) -> None:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert {fault.kind for fault in read("\n".join(lines))[1]} == {"reference"}


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_depth_is_bounded(parser: str, opening: str) -> None:
    found = read(opening * 2000)[1]
    assert [fault.kind for fault in found] == ["size"]


def test_depth_is_that_of_nodes_not_of_characters(parser: str) -> None:
    brackets = "[" * 5000
    text = f"a: '{brackets}'\nb: |\n  {brackets}\nc: x{brackets}\n" + "d: [[1], [2], {e: [3]}]\n"
    assert data(text)["d"] == [[1], [2], {"e": [3]}]
    assert data("[" * 32 + "]" * 32) is not None
    assert faults("[" * 33 + "]" * 33) == [("size", 1, 33)]


def test_size_is_bounded(parser: str) -> None:
    assert faults("#" * (yamltext.MAX_BYTES + 1)) == [("size", 1, 1)]
    assert faults("é" * (yamltext.MAX_BYTES // 2 + 1)) == [("size", 1, 1)]
    assert faults("#" * yamltext.MAX_BYTES) == []


def test_faults_are_bounded() -> None:
    assert len(read("a: 1\n" * 1000)[1]) == yamltext.MAX_FAULTS


@given(st.text())
def test_any_text_is_data_or_faults(text: str) -> None:
    for fault in read(text)[1]:
        assert fault.message.isprintable()
        assert fault.line >= 1


PIECES = "a|b: |- |[|]|{|}|, |\n|  |'|\"|&x |*x|!t |>|# |? |: |---\n|...\n|%YAML 1.2\n"
PIECES += "|<<|\t|\\x|\r\n|0x1"
YAML_PIECES = st.sampled_from([*PIECES.split("|"), "|", ".inf", "@"])


@given(st.lists(YAML_PIECES, max_size=40).map("".join))
def test_pieces_of_yaml_are_data_or_faults(text: str) -> None:
    root, found = read(text)
    if not found:
        assert to_data(root) == to_data(parse(text))
    assert all(1 <= fault.line <= text.count("\n") + 2 for fault in found)


@given(st.lists(YAML_PIECES, max_size=40).map("".join))
def test_both_parsers_refuse_the_same_structure(text: str) -> None:
    """They word and place faults of syntax differently, and nothing else."""
    fast = to_data(read(text)[0]) if not read(text)[1] else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yamltext, "_PARSER", yaml.SafeLoader)
        root, found = read(text)
    if fast is not None and not found:
        assert to_data(root) == fast


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(codec="ascii", exclude_categories=["Cc"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abcxyz", min_size=1), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
def test_what_pyyaml_writes_in_quotes_is_read_back(value: Any) -> None:
    text = yaml.safe_dump(value, default_style='"', width=10_000)
    if "!!" not in text:  # it tags what quotes would make a text
        assert data(text) == value


def test_deep_text_neither_crashes_nor_takes_long() -> None:
    """200,000 brackets overflow the C stack of PyYAML's composer; 1 GB of memory is plenty."""
    code = """
        from scripts.runtime.yamltext import read
        for opening in ("[", "{a: ", "- ", "? ", "[{a: "):
            root, found = read((opening * 200_000)[: 1 << 20])
            assert root is None and found[0].kind == "size", (opening, found)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30)),
    )
    assert (done.returncode, done.stderr) == (0, "")
