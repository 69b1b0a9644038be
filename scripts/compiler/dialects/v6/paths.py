"""Where a foreign text's file names lead: to a file of the tree, nowhere, or out of it."""

from __future__ import annotations

import re
from typing import Final

from ..tree import ForeignTree

_ROOTS: Final = re.compile(r"^(?:\{project-root\}|\{project_root\}|\{root\})/")
_HOMES: Final = re.compile(r"^(?:\{bmad_folder\}|_bmad|\.bmad|bmad|src|bmad/src)/")
_HOME: Final = re.compile(r"(?:^|/)(?:_bmad|\.bmad|bmad|\{bmad_folder\})/")
_HERE: Final = re.compile(r"^(?:\{skill-root\}|\{installed_path\}|\{workflow_path\}|\.)/")
_ABSOLUTE: Final = re.compile(r"^(?:/|~|[A-Za-z]:[\\/])")


class Paths:
    """Looks files up by what authors call them. `base` is the folder of the text that does."""

    def __init__(self, tree: ForeignTree) -> None:
        self.tree = tree
        self.files = tree.files
        self._found: dict[tuple[str, str], str | None] = {}

    def find(self, reference: str, base: str = "") -> str | None:
        """The file's path; None when there is none, or when it would lie outside."""
        key = (reference, base)
        if key not in self._found:
            self._found[key] = self._find(reference, base)
        return self._found[key]

    def _find(self, reference: str, base: str) -> str | None:
        name = _ROOTS.sub("", reference.strip().strip("'\"`").replace("\\", "/"))
        if not name or leaves(reference, base):
            return None
        beside = joined(base, _HERE.sub("", name))
        if beside is not None and beside in self.files:
            return beside
        inner = name
        while (shorter := _HOMES.sub("", _HERE.sub("", inner))) != inner:
            inner = shorter
        found = self._by_end(inner, base)
        if found is None and (home := _HOME.search(name)):
            # An installed name in a repository that holds the module, or a folder above it.
            below = name[home.end() :]
            found = self._by_end(below, base)
            inside = below.partition("/")[2]
            if found is None and "/" in inside:
                found = self._by_end(inside, base)
        return found

    def mentioned(self, reference: str, path: str, home: str) -> str | None:
        """The file that a text speaks of; `path` is the text's, `home` the folder it belongs to.

        A bare name, such as `checklist.md`, means one of its own home: others have their own.
        """
        base = folder_of(path)
        found = self.find(reference, base)
        if found is None or found.startswith(f"{home}/" if home else ""):
            return found
        name = reference.strip()
        if _ROOTS.match(name) or _HOMES.match(name) or name.count("/") > 1:
            return found
        return found if found == joined(base, name) else None

    def _by_end(self, name: str, base: str) -> str | None:
        found = joined("", name.lstrip("/"))
        if not found:
            return None
        near = [
            path
            for path in self.tree.by_name.get(found.rpartition("/")[2], ())
            if path == found or path.endswith(f"/{found}")
        ]
        return min(near, key=lambda path: (-_shared(path, base), path), default=None)


def joined(base: str, name: str) -> str | None:
    """`name` taken from the folder `base`, without dots; None when it leads out of the tree."""
    parts = [part for part in base.split("/") if part]
    for part in name.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def leaves(reference: str, base: str) -> bool:
    """Whether a name leads out of the tree."""
    name = reference.strip().strip("'\"`").replace("\\", "/")
    name = _HERE.sub("", _ROOTS.sub("", name)) if not _ROOTS.match(name) else _ROOTS.sub("", name)
    start = "" if _ROOTS.match(reference.strip()) else base
    return bool(_ABSOLUTE.match(name)) or joined(start, name) is None


def folder_of(path: str) -> str:
    """The folder of a file, empty for the top."""
    return path.rpartition("/")[0]


def _shared(path: str, base: str) -> int:
    """How many folders two places have in common."""
    count = 0
    for one, other in zip(path.split("/"), base.split("/"), strict=False):
        if one != other:
            break
        count += 1
    return count
