"""An author's text is data: it comes back as it is, and changes nothing around it."""

from __future__ import annotations

import ast
import subprocess
import sys
import tokenize
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import black
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.compiler import literals
from scripts.compiler.formatter import ruff_program
from tests.compiler.hostile import FIXED, LINES, TEXTS

MODE = black.Mode(line_length=88)


def _prompt(text: str) -> str:
    return f"PROMPT = {literals.prose(text)}\n"


def _string(text: str) -> str:
    return f"VALUE = [{literals.string(text)}]\n"


def _docstring(text: str) -> str:
    return f"# Generated.\n{literals.docstring(text)}\n\nimport os\n"


def _is_encodable(text: str) -> bool:
    return text.isascii() or text.encode("utf-8", "surrogatepass").decode("utf-8", "ignore") == text


@pytest.mark.parametrize("literal", [literals.prose, literals.string])
@given(text=TEXTS)
def test_a_literal_gives_the_same_text(literal: Callable[[str], str], text: str) -> None:
    source = literal(text)
    source.encode()  # also where the text itself has no encoding
    assert ast.literal_eval(source) == text


@given(text=TEXTS)
def test_translating_line_ends_changes_no_prompt(text: str) -> None:
    source = _prompt(text)
    assert source.splitlines() == source.split("\n")[:-1]
    windows = source.replace("\n", "\r\n").encode()
    assert ast.literal_eval(ast.parse(windows).body[0].value) == text  # type: ignore[attr-defined]


@given(text=TEXTS)
def test_a_prompt_changes_nothing_but_itself(text: str) -> None:
    module = ast.parse(_prompt(text) + "after = 1\n")
    dummy = ast.parse(_prompt("dummy") + "after = 1\n")
    module.body[0].value.value = "dummy"  # type: ignore[attr-defined]
    assert ast.dump(module) == ast.dump(dummy)


@given(text=LINES)
def test_a_docstring_is_the_description(text: str) -> None:
    source = _docstring(text)
    assert source.count("\n") == 4
    assert ast.get_docstring(ast.parse(source), clean=False) == text


@given(text=TEXTS)
def test_black_leaves_literals_as_they_are(text: str) -> None:
    source = _prompt(text)
    assert black.format_str(source, mode=MODE) == source
    short = f"VALUE = f({literals.string(text[:20])})\n"
    assert black.format_str(short, mode=MODE) == short


@given(text=LINES)
def test_black_leaves_docstrings_as_they_are(text: str) -> None:
    source = _docstring(text)
    assert black.format_str(source, mode=MODE) == source


@settings(max_examples=10)
@given(
    texts=st.lists(TEXTS, min_size=30, max_size=40), lines=st.lists(LINES, min_size=30, max_size=40)
)
def test_ruff_leaves_them_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], lines: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("ruff")
    _assert_ruff_agrees(folder, [*map(_prompt, texts), *map(_docstring, lines)])


def test_ruff_leaves_the_known_offenders_as_they_are(tmp_path: Path) -> None:
    lines = [" ".join(text.split()) for text in FIXED]
    _assert_ruff_agrees(tmp_path, [*map(_prompt, FIXED), *map(_docstring, filter(None, lines))])


def _assert_ruff_agrees(folder: Path, sources: list[str]) -> None:
    for number, source in enumerate(sources):
        (folder / f"m{number}.py").write_bytes(source.encode())
    program = ruff_program()
    assert program is not None
    command = [program, "format", "--isolated", "--no-cache", "--diff", str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr


@given(text=TEXTS)
def test_a_comment_stays_a_comment_and_names_no_encoding(text: str) -> None:
    source = f"# Generated from {literals.comment(text)}. Edit it.\nafter = 1\n".encode()
    assert ast.dump(ast.parse(source)) == ast.dump(ast.parse("after = 1"))
    assert tokenize.detect_encoding(BytesIO(source).readline)[0] == "utf-8"


@pytest.mark.parametrize("name", ["coding: latin-1", "x-CODING=utf-7", "encoding:cp1252"])
def test_a_file_name_cannot_set_the_encoding(name: str) -> None:
    source = f"# Generated from {literals.comment(name)}. Edit it.\n".encode()
    assert tokenize.detect_encoding(BytesIO(source).readline)[0] == "utf-8"


def test_a_prompt_reads_as_the_author_wrote_it() -> None:
    text = 'You are "Ana".\n\n- Ask\tfirst\n- Don\'t guess: été, 漢字 👩‍👧\n'
    assert literals.prose(text) == f'"""\\\n{text}"""'
    assert literals.prose("") == '""'


@pytest.mark.parametrize(
    ("text", "line"),
    [("a  \nb", "a \\x20"), ("a\t\nb", "a\\t"), (" \nb", "\\x20"), ("a\xa0\nb", "a\\xa0")],
)
def test_no_line_of_a_prompt_ends_with_a_blank(text: str, line: str) -> None:
    source = literals.prose(text)
    assert source.splitlines()[1] == line
    assert ast.literal_eval(source) == text


def test_the_same_literals_under_every_python() -> None:
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    for literal in (literals.prose, literals.string):
        source = literal(everything)
        source.encode()
        assert ast.literal_eval(source) == everything
