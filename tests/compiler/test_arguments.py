"""The short way to read the command line never disagrees with Typer."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.compiler.arguments import FLAGS, plain
from scripts.compiler.cli import read_options

_WORDS = st.lists(
    st.one_of(
        st.sampled_from(FLAGS),
        st.sampled_from(
            ["--src", "--src=a", "--src=", "--out", "--out=b/c", "--output-format", "json"]
        ),
        st.sampled_from(["--output-format=json", "--output-format=text", "text", "sarif", "a b"]),
        st.sampled_from(
            ["--help", "--version", "--check=1", "--no-check", "--", "-", "-v", "bmad"]
        ),
        st.sampled_from(["--output-format=sarif", "--src=--out", "--verb", "é", ""]),
    ),
    max_size=5,
)


@given(words=_WORDS)
def test_what_is_read_without_typer_is_what_typer_reads(words: list[str]) -> None:
    options = plain(words)
    if options is not None:
        assert read_options(words) == options


@given(words=st.lists(st.sampled_from(FLAGS), unique=True))
def test_the_flags_are_read_without_typer(words: list[str]) -> None:
    options = plain(["--src", "x", *words, "--out=y"])
    assert options is not None
    assert (options.src, options.out) == ("x", "y")
    given = {name for name in FLAGS if getattr(options, name[2:].replace("-", "_"))}
    assert given == set(words)


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["--src"], ["--out", "--check"], ["x"], ["--src="]]
)
def test_the_rest_is_left_to_typer(words: list[str]) -> None:
    assert plain(words) is None


def test_help_ends_the_process_well() -> None:
    with contextlib.redirect_stdout(io.StringIO()) as said, pytest.raises(SystemExit) as ended:
        read_options(["--help"])
    assert ended.value.code == 0
    assert "--output-format" in said.getvalue()
