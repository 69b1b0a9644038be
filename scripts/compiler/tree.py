"""The output as it stands: which files are ours, which were edited, which are somebody else's."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from . import digest, fresh, manifest
from .manifest import Manifest

INSIDE_PREFIX = ".bmad2pf."  # what an interrupted fallback leaves inside the tree


@dataclass(slots=True)
class Tree:
    """`files` maps each path to its hash. `known` is what was written last, None at first.

    `edited` files are listed and differ; `foreign` ones are not listed at all; `leftovers` are
    a dead compiler's own. `interrupted` says that a fallback did not come to its end.
    """

    path: Path
    exists: bool = False
    known: Manifest | None = None
    interrupted: bool = False
    files: dict[str, str] = field(default_factory=dict)
    edited: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)

    @property
    def is_absent(self) -> bool:
        """Whether there is nothing yet; an empty folder is nothing."""
        return not (self.files or self.foreign or self.known or self.interrupted)


def read(out: Path) -> Tree:
    """The tree at `out`, a folder or nothing yet. Raises OSError where it cannot be read."""
    tree = Tree(out, exists=out.exists())
    if not tree.exists:
        return tree
    tree.known = fresh.read(str(out / manifest.NAME))
    coming = fresh.read(str(out / manifest.NEXT))
    tree.interrupted = coming is not None
    ours = _ours(tree.known, coming)
    for path in digest.files_below(str(out)):
        _sort_in(tree, path, ours)
    return tree


def _ours(*manifests: Manifest | None) -> dict[str, set[str]]:
    """Every hash that we may have given to a path."""
    ours: dict[str, set[str]] = {}
    for known in manifests:
        if known is not None:
            for path, value in [*known.files.items(), *known.was]:
                ours.setdefault(path, set()).add(value)
    return ours


def _sort_in(tree: Tree, path: str, ours: dict[str, set[str]]) -> None:
    name = os.path.basename(path)  # noqa: PTH119
    if name.startswith(INSIDE_PREFIX):
        tree.leftovers.append(path)
    elif path in (manifest.NAME, manifest.NEXT) and ours:
        return
    elif path not in ours:
        tree.foreign.append(path)
    else:
        value = digest.of_file(str(tree.path / path))
        tree.files[path] = value or ""
        if value not in ours[path]:
            tree.edited.append(path)
