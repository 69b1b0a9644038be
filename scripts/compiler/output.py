"""Writes a generation: all of it or nothing, and what did not change keeps its time.

The new tree is staged beside the old one and the two change places. Where the system cannot do
that, files are replaced one by one and the manifest last, after `manifest.sha256.next` has said
what is coming: the service refuses the mixture, and the next run knows it as ours. Only the
manifest is synced: after a power cut its hashes tell whether the files came through.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import manifest
from .exchange import exchange
from .fresh import LEFTOVER
from .manifest import Manifest
from .tree import INSIDE_PREFIX, Tree


@dataclass(frozen=True, slots=True)
class Generation:
    """What the tree shall be: `written` maps paths to new bytes, `kept` are taken over."""

    manifest: Manifest
    written: Mapping[str, bytes]
    kept: frozenset[str]


def write(tree: Tree, generation: Generation) -> None:
    """Make `tree` the generation. Raises OSError; then the old tree stands, or is refused."""
    staged = tree.path.parent / f".{tree.path.name}{LEFTOVER}{os.getpid()}"
    try:
        _stage(staged, tree.path, generation)
        _install(staged, tree, generation)
    finally:
        shutil.rmtree(staged, ignore_errors=True)  # what stays is swept by the next run
    _sync(tree.path.parent)


def sweep(out: Path, *, alone: bool) -> None:
    """Remove what dead compilers left beside `out`; `alone` means that no other is at work."""
    start = f".{out.name}{LEFTOVER}"
    for path in out.parent.iterdir():
        number = path.name.removeprefix(start)
        if path.name.startswith(start) and (alone or _is_dead(number)):
            shutil.rmtree(path, ignore_errors=True)


def _is_dead(number: str) -> bool:
    if not number.isdecimal() or int(number) == os.getpid():
        return number.isdecimal()
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _stage(staged: Path, out: Path, generation: Generation) -> None:
    shutil.rmtree(staged, ignore_errors=True)
    paths = {*generation.written, *generation.kept}
    staged.mkdir()
    for folder in sorted({parent for path in paths for parent in Path(path).parents}):
        if folder != Path():
            (staged / folder).mkdir()
    for path, data in generation.written.items():
        _write(staged / path, data, meant=out / path)
    for path in generation.kept:
        _take_over(out / path, staged / path)
    _write(staged / manifest.NAME, generation.manifest.encode(), out / manifest.NAME, sync=True)


def _take_over(old: Path, new: Path) -> None:
    """The same file under a second name; where links cannot be had, a copy with its times."""
    try:
        os.link(old, new, follow_symlinks=False)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOSPC, errno.EIO):
            raise
        shutil.copy2(old, new, follow_symlinks=False)


def _write(path: Path, data: bytes, meant: Path, *, sync: bool = False) -> None:
    """A new file; a fault names `meant`, the path that people know."""
    try:
        with path.open("xb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(meant)) from error


def _install(staged: Path, tree: Tree, generation: Generation) -> None:
    if not tree.exists or not any(tree.path.iterdir()):
        try:
            staged.rename(tree.path)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EBUSY):
                raise
        else:
            return
    elif exchange(staged, tree.path):
        return
    _replace(staged, tree, generation)


def _replace(staged: Path, tree: Tree, generation: Generation) -> None:
    """File by file: say what is coming, remove, replace, and the manifest last."""
    out = tree.path
    _announce(staged, tree, generation.manifest)
    for path in [*tree.leftovers, *sorted(tree.files.keys() - generation.manifest.files.keys())]:
        _remove(out, path)
    for path in sorted(generation.written):
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        # Python trusts a cache by its source's size and second.
        shutil.rmtree(target.parent / "__pycache__", ignore_errors=True)
        _move(staged / path, target)
    _move(staged / manifest.NAME, out / manifest.NAME)
    (out / manifest.NEXT).unlink()


def _announce(staged: Path, tree: Tree, coming: Manifest) -> None:
    known = tree.known.files if tree.known else {}
    announced = Manifest(coming.version, coming.compiler)
    announced.files = coming.files
    announced.was = [pair for pair in tree.files.items() if known.get(pair[0]) != pair[1]]
    _write(staged / manifest.NEXT, announced.encode(), tree.path / manifest.NEXT, sync=True)
    _move(staged / manifest.NEXT, tree.path / manifest.NEXT)
    _sync(tree.path)


def _remove(out: Path, path: str) -> None:
    (out / path).unlink(missing_ok=True)
    for folder in Path(path).parents[:-1]:
        shutil.rmtree(out / folder / "__pycache__", ignore_errors=True)
        if any((out / folder).iterdir()):
            return
        (out / folder).rmdir()


def _move(source: Path, target: Path) -> None:
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = target.parent / f"{INSIDE_PREFIX}{os.getpid()}"
        shutil.copyfile(source, beside)
        beside.replace(target)


def _sync(folder: Path) -> None:
    if os.name == "nt":
        return  # a folder cannot be opened there
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
