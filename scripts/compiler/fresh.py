"""Whether anything has changed at all, decided from hashes.

Nothing heavy may be imported here: this is the whole of a run that has nothing to do.
"""

from __future__ import annotations

import os

from . import digest, manifest
from .arguments import Options
from .distribution import formatter
from .sources import scan, scan_foreign, take

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .sources import Scanned, SourceFault

LEFTOVER = ".bmad2pf."
_UNREAD = "BMAD117"
MIXED = "native+"  # before the name of a form that single files of a native tree are in


def is_fresh(options: Options) -> manifest.Manifest | None:
    """The manifest of an output that is as it would be written now; None when it is not sure.

    The findings that its sources have are among what it tells.
    """
    out = os.path.normpath(options.out)
    try:
        known = read(f"{out}/{manifest.NAME}")
        if known is None or known.findings != len(known.told) or has_leftovers(out):
            return None
        files, faults = _scanned(options.src, known.dialect)
        if not _are_told(faults, known):
            return None
        files += named_files(options.src, files, known)
        if known.sources != source_digests(options.src, files) or not holds(out, known):
            return None
        return known if known.compiler == digest.of_compiler(formatter()) else None
    except OSError:
        return None  # whoever compiles meets it again, and says so


def _are_told(faults: list[SourceFault], known: manifest.Manifest) -> bool:
    """Whether the files that nobody reads are those of the last time, for the same reasons."""
    told = {(parts[4], parts[5]) for parts in known.told if parts[1] == _UNREAD}
    found = {(fault.path, fault.message) for fault in faults if fault.kind == "unread"}
    return len(found) == len(faults) and found == told


def _scanned(src: str, dialect: str) -> Scanned:
    """What is read of sources in this form (a mixture of forms begins with MIXED)."""
    if not dialect:
        return scan(src)
    foreign = scan_foreign(src)
    if not dialect.startswith(MIXED):
        return foreign
    native = scan(src)
    return list((dict(foreign[0]) | dict(native[0])).items()), native[1]


def read(path: str) -> manifest.Manifest | None:
    """The manifest at `path`; None when there is none of ours. Raises OSError."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return manifest.decode(file.read())
    except (FileNotFoundError, NotADirectoryError, manifest.Damaged):
        return None


def named_files(
    src: str, files: list[tuple[str, bytes]], known: manifest.Manifest
) -> list[tuple[str, bytes]]:
    """The sources beyond `files` that agents name, as far as they are there.

    While no agent's file has changed, they are those that the last compiler read.
    """
    start = f"{root_name(src)}/"
    scanned = {start + path for path, _ in files}
    found = []
    for path in known.sources:
        if path not in scanned and path.startswith(start):
            name = path[len(start) :]
            data = take(src, name)
            if isinstance(data, bytes):
                found.append((name, data))
    return found


def source_digests(src: str, files: list[tuple[str, bytes]]) -> dict[str, str]:
    """The hash of every source by the path that headers show."""
    root = root_name(src)
    return {f"{root}/{path}": digest.of_bytes(data) for path, data in files}


def root_name(src: str) -> str:
    """The name of the sources' folder, wherever it stands."""
    return os.path.basename(os.path.realpath(src))  # noqa: PTH119


def holds(out: str, known: manifest.Manifest) -> bool:
    """Whether the tree has the files of its manifest, each unchanged, and no others."""
    if os.path.islink(out):  # noqa: PTH114
        return False
    expected = sorted([*known.files, manifest.NAME])
    if digest.files_below(out) != expected:
        return False
    return all(digest.of_file(f"{out}/{path}") == known.files[path] for path in known.files)


def has_leftovers(out: str) -> bool:
    """Whether a compiler that died, or another at work, has a folder beside the output."""
    parent, name = os.path.split(out)
    start = f".{name}{LEFTOVER}"
    return any(entry.startswith(start) for entry in os.listdir(parent or "."))  # noqa: PTH208
