"""A tree that was changed or copied by half is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.runtime.errors import TreeError
from scripts.runtime.manifest import verify

from .api import write_tree


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_tree(tmp_path)


def test_a_tree_as_it_was_written_is_accepted(tree: Path) -> None:
    (tree / "__pycache__").mkdir()
    (tree / "__pycache__" / "app.cpython-311.pyc").write_bytes(b"x")
    verify(tree)


def test_a_changed_file_is_named(tree: Path) -> None:
    (tree / "graphs" / "one.mmd").write_text("flowchart LR\n")
    with pytest.raises(TreeError, match=r"changed: graphs/one\.mmd") as caught:
        verify(tree)
    assert caught.value.paths == ("graphs/one.mmd",)


def test_a_missing_file_is_named(tree: Path) -> None:
    (tree / "graphs" / "one.json").unlink()
    with pytest.raises(TreeError, match=r"missing: graphs/one\.json"):
        verify(tree)


def test_a_folder_in_a_files_place_is_missing(tree: Path) -> None:
    (tree / "graphs" / "one.json").unlink()
    (tree / "graphs" / "one.json").mkdir()
    with pytest.raises(TreeError, match="missing"):
        verify(tree)


def test_many_changes_are_counted(tree: Path) -> None:
    lines = [f"{'0' * 64}  absent-{number}.py" for number in range(9)]
    (tree / "manifest.sha256").write_text("\n".join(lines))
    with pytest.raises(TreeError, match="and 4 more") as caught:
        verify(tree)
    assert len(caught.value.paths) == 9


@pytest.mark.parametrize(
    "text", [b"", b"# only comments\n", b"not a line of it\n", b"\xff\xfe", b"abc  app.py\n"]
)
def test_a_damaged_manifest_is_refused(tree: Path, text: bytes) -> None:
    (tree / "manifest.sha256").write_bytes(text)
    with pytest.raises(TreeError, match="run bmad2pf again"):
        verify(tree)


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TreeError, match="run bmad2pf again"):
        verify(tmp_path)
