"""Where an output may stand: never on, in or around what is not ours."""

from __future__ import annotations

import os
from pathlib import Path

from .arguments import SRC
from .diagnostics import Diagnostics, Position
from .meant import meant
from .translate import Sources, understand
from .tree import Tree

_SHOWN = 3
_USUAL = Path(SRC)


class Misuse(Exception):
    """What was asked for cannot be meant; the text says why."""


def refuse_misuse(src: Path, out: Path) -> None:
    """Raise Misuse for a missing source and for an output in a place where it would do harm."""
    if not src.exists():
        first = f"; begin with {_USUAL.as_posix()}/agents/analyst.md"
        elsewhere = "; a project in another form: bmad2pf --src . or bmad2pf import ."
        more = f"{first}{elsewhere}" if src == _USUAL else ""
        raise Misuse(f'--src: there is no folder "{src}"{more}')
    if not src.is_dir():
        raise Misuse(f'--src: "{src}" is not a folder')
    source, target = src.resolve(), out.resolve()
    if target == source:
        raise Misuse(f'--out: "{out}" is inside the sources "{src}"')
    if target in source.parents:
        raise Misuse(f'--out: "{out}" holds the sources "{src}"')
    if target == Path(target.anchor) or target == Path.home().resolve():
        raise Misuse(f'--out: "{out}" is no place for generated code; name a folder of its own')
    if (target / ".git").exists():
        raise Misuse(f'--out: "{out}" is a repository; name a folder inside it')


def refuse_inside(src: Path, out: Path) -> None:
    """Raise Misuse for an output among native sources; other projects may hold theirs."""
    if src.resolve() in out.resolve().parents:
        near = meant(src)
        more = f'; the agents are in "{near}": name that folder with --src' if near else ""
        raise Misuse(f'--out: "{out}" is inside the sources "{src}"{more}')


def understood(src: Path, shown: str, diagnostics: Diagnostics) -> Sources:
    """Every source; raises Misuse where the folder itself cannot be listed."""
    try:
        return understand(src, shown, diagnostics)
    except OSError as error:
        raise Misuse(f'the folder "{src}" cannot be listed: {error.strerror}') from None


def refuse_kind(out: Path, diagnostics: Diagnostics) -> bool:
    """Whether `out` is something else than a folder or nothing; that is a finding."""
    what = "a link" if out.is_symlink() else "not a folder" if out.exists() else ""
    if not what or (what == "not a folder" and out.is_dir()):
        return False
    message = f'the output "{out}" is {what}'
    diagnostics.add("BMAD501", Position(str(out)), message, "remove it, or name another with --out")
    return True


def refuse_foreign(tree: Tree, diagnostics: Diagnostics) -> None:
    """Find files in the tree that bmad2pf did not write."""
    if not tree.foreign:
        return
    message = f"the folder holds files that bmad2pf did not write: {some(tree.foreign)}"
    hint = "move them away, or name another folder with --out"
    diagnostics.add("BMAD501", Position(str(tree.path)), message, hint)


def refuse_edited(tree: Tree, paths: list[str], diagnostics: Diagnostics) -> None:
    """Find generated files that were edited, one finding each."""
    for path in paths:
        hint = "edit the source instead; --force overwrites the file"
        at = Position(f"{tree.path}/{path}")
        diagnostics.add("BMAD502", at, "the generated file was edited by hand", hint)


def refuse_unwritable(out: Path, diagnostics: Diagnostics) -> None:
    """Find an output or its folder that is read-only, before anything is tried."""
    parent = next(folder for folder in out.absolute().parents if folder.exists())
    for folder in (parent, out):
        if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
            unwritable(folder, "it is read-only", diagnostics)


def unwritable(path: Path, reason: str, diagnostics: Diagnostics) -> None:
    """The finding of a write that failed."""
    hint = "nothing was changed; make room or give access, then run bmad2pf again"
    diagnostics.add("BMAD503", Position(str(path)), f"cannot be written: {reason}", hint)


def some(paths: list[str]) -> str:
    """The first few of `paths`, and how many there are beside."""
    more = len(paths) - _SHOWN
    return ", ".join(paths[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
