"""What a generation would change in a tree, as a list and as a unified diff."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from . import digest, manifest
from .output import Generation
from .tree import Tree


@dataclass(frozen=True, slots=True)
class Change:
    """One file of the tree, relative to it."""

    path: str
    kind: Literal["new", "changed", "removed"]


def changes(tree: Tree, generation: Generation) -> tuple[Change, ...]:
    """Every file that would not stay as it is, sorted; the manifest counts."""
    coming = {**generation.manifest.files}
    coming[manifest.NAME] = digest.of_bytes(generation.manifest.encode())
    present = dict(tree.files)
    if (value := digest.of_file(str(tree.path / manifest.NAME))) is not None:
        present[manifest.NAME] = value
    found: list[Change] = []
    for path in sorted(coming.keys() | present.keys()):
        if path not in present:
            found.append(Change(path, "new"))
        elif path not in coming:
            found.append(Change(path, "removed"))
        elif present[path] != coming[path]:
            found.append(Change(path, "changed"))
    return tuple(found)


def unified(tree: Tree, generation: Generation, found: tuple[Change, ...]) -> Iterator[str]:
    """The diff's lines without their ends; the manifest, all hashes, is left out."""
    for change in found:
        if change.path == manifest.NAME:
            continue
        path = f"{tree.path.name}/{change.path}"
        old = b"" if change.kind == "new" else (tree.path / change.path).read_bytes()
        new = b"" if change.kind == "removed" else generation.written[change.path]
        yield from difflib.unified_diff(
            _lines(old),
            _lines(new),
            "/dev/null" if change.kind == "new" else f"a/{path}",
            "/dev/null" if change.kind == "removed" else f"b/{path}",
            lineterm="",
        )


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "backslashreplace").removesuffix("\n").split("\n") if data else []
