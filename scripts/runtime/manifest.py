"""Whether the generated folder is what the compiler wrote."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from .errors import TreeError

NAME: Final = "manifest.sha256"
_SHOWN: Final = 5
_SOURCE: Final = "# source "
_SHORT: Final = 16  # hex digits


def verify(tree: Path) -> None:
    """Raise TreeError when a file that the manifest lists is missing or differs."""
    changed, missing = [], []
    for path, expected in _listed(tree):
        try:
            actual = hashlib.sha256((tree / path).read_bytes()).hexdigest()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            missing.append(path)
        except OSError as error:
            raise TreeError(f"{path} cannot be read: {error.strerror}", paths=[path]) from error
        else:
            if actual != expected:
                changed.append(path)
    if changed or missing:
        raise TreeError(_mismatch(tree.name, changed, missing), paths=[*changed, *missing])


@contextmanager
def verified(tree: Path) -> Iterator[Path]:
    """A place for imports from `tree`, entered only when it is what the compiler wrote.

    Raises TreeError.
    """
    verify(tree)
    yield tree


def sources(tree: Path) -> dict[str, str]:
    """What the tree was made of: paths with hashes, short ones, since they tell versions apart."""
    found = {}
    for line in (tree / NAME).read_text(encoding="utf-8").splitlines():
        digest, separator, path = line.removeprefix(_SOURCE).partition("  ")
        if line.startswith(_SOURCE) and separator:
            found[path] = digest[:_SHORT]
    return found


def _listed(tree: Path) -> list[tuple[str, str]]:
    """The manifest's files as (path, sha256); comment lines hold what the compiler needs."""
    try:
        text = (tree / NAME).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TreeError(
            f"{tree.name}/{NAME} cannot be read: run bmad2pf again", paths=[NAME]
        ) from error
    entries = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        digest, separator, path = line.partition("  ")
        if not separator or len(digest) != hashlib.sha256().digest_size * 2:
            raise TreeError(f"{tree.name}/{NAME} is damaged: run bmad2pf again", paths=[NAME])
        entries.append((path, digest))
    if not entries:
        raise TreeError(f"{tree.name}/{NAME} lists no file: run bmad2pf again", paths=[NAME])
    return entries


def _mismatch(name: str, changed: list[str], missing: list[str]) -> str:
    parts = []
    if changed:
        parts.append(f"changed: {_some(changed)}")
    if missing:
        parts.append(f"missing: {_some(missing)}")
    return (
        f"{name} is not what the compiler wrote ({'; '.join(parts)}): "
        "edit the sources instead, then run bmad2pf"
    )


def _some(paths: list[str]) -> str:
    more = len(paths) - _SHOWN
    return ", ".join(paths[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
