"""A backup's file: a zip of JSON lines, with a manifest that names every file and its checksum.

`memory/isolated/….jsonl` and `memory/shared/….jsonl` hold a scope's writes as memory files do,
`documents/{id}.jsonl` the revisions of a document, `backup.json` is written last. The file has
its name only once it is whole.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from . import __version__
from .archiveline import read_revision, read_write, revision_line, write_line
from .clock import now
from .errors import ArchiveError, BMADError, StoreError
from .stores.files import NO_ROOM
from .stores.names import document_file, parse_scope
from .stores.newfile import new_file
from .stores.protocol import Entry, Revision
from .stores.record import MAX_LINE, BadLine

FORMAT: Final = "bmad2pf-backup/1"
MANIFEST: Final = "backup.json"
MAX_MANIFEST: Final = 2**28  # bytes: of a million files
# The longest line: a record with its LF; the largest document, escaped.
MAX_LINES: Final = {"memory": MAX_LINE + 1, "document": 2**27}
_ITEM: Final = (str, str, int, int, str, str)
_COMPRESSIONS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


class Item(NamedTuple):
    """One file of an archive. `kind` is memory or document, `name` the scope or the id.

    `at` is the `seq`, or the revision, as of which it was read.
    """

    kind: str
    name: str
    at: int
    lines: int
    path: str
    sha256: str


class Archive(NamedTuple):
    """What a backup holds; `made_at` is RFC 3339, `backend` what kept memory then.

    `left_out` tells, when it was just made, what could not be read and why.
    """

    made_at: str
    version: str
    backend: str
    items: tuple[Item, ...]
    left_out: tuple[str, ...] = ()


Writes = tuple[str, Sequence[Entry]]
Revisions = tuple[str, Sequence[tuple[Revision, str]]]


class Writer:
    """An archive that is being written."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        self.items: list[Item] = []

    def add_scope(self, scope: str, seq: int, entries: Sequence[Entry]) -> None:
        """All kept writes of a scope as of `seq`."""
        self._add("memory", scope, seq, map(write_line, entries))

    def add_document(self, document_id: str, revisions: Sequence[tuple[Revision, str]]) -> None:
        """The kept revisions of a document, the oldest first; at least one."""
        lines = itertools.starmap(revision_line, revisions)
        self._add("document", document_id, revisions[-1][0].rev, lines)

    def _add(self, kind: str, name: str, at: int, lines: Iterator[bytes]) -> None:
        path, digest, count = path_of(kind, name), hashlib.sha256(), 0
        with self._file.open(_info(path), "w", force_zip64=True) as part:
            for line in lines:
                part.write(line)
                digest.update(line)
                count += 1
        self.items.append(Item(kind, name, at, count, path, digest.hexdigest()))

    def finish(self, backend: str) -> None:
        """The manifest."""
        head = {"format": FORMAT, "made_at": now(), "version": __version__, "backend": backend}
        items = [item._asdict() for item in self.items]
        text = json.dumps({**head, "items": items}, indent=1)
        if len(text) >= MAX_MANIFEST:
            raise ArchiveError(f"{len(items)} scopes and documents are too many for one backup")
        self._file.writestr(_info(MANIFEST), f"{text}\n")


@contextmanager
def new_archive(path: Path) -> Iterator[Writer]:
    """A new file, there under its name only when all went well. Raises StoreError, ArchiveError."""
    try:
        with new_file(path) as file, zipfile.ZipFile(file, "w") as archive:
            yield Writer(archive)
    except FileExistsError as error:
        raise ArchiveError(f"{path} {error.strerror}") from None
    except OSError as error:
        status = 507 if error.errno in NO_ROOM else 500
        reason = f"{path} cannot be written: {error.strerror}"
        raise StoreError(reason, store="backup", status=status) from error


def _info(path: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(path)  # with the time that zip begins with: it is told elsewhere
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    return info


class Reader:
    """An archive that has been looked through: nothing in it is damaged."""

    def __init__(self, file: zipfile.ZipFile, archive: Archive) -> None:
        self._file = file
        self.archive = archive

    def writes(self, item: Item) -> Iterator[Entry]:
        """A scope's writes by `seq`. Raises ArchiveError."""
        seq = 0
        for number, line in self._lines(item):
            with _told(item, number):
                entry = read_write(line, item.name)
                if entry.seq <= seq:
                    raise BadLine("it does not belong here")
            seq = entry.seq
            yield entry

    def revisions(self, item: Item) -> Iterator[tuple[Revision, str]]:
        """A document's revisions, the oldest first. Raises ArchiveError."""
        rev = 0
        for number, line in self._lines(item):
            with _told(item, number):
                revision, text = read_revision(line)
                if revision.rev <= rev:
                    raise BadLine("it does not belong here")
            rev = revision.rev
            yield revision, text

    def check(self, item: Item) -> None:
        """Read a file whole. Raises ArchiveError when it is not as the manifest has it."""
        lines = self.writes(item) if item.kind == "memory" else self.revisions(item)
        count = sum(1 for _ in lines)
        if count != item.lines or not count:
            raise ArchiveError(f"{item.path} has {count} lines instead of {item.lines}")

    def _lines(self, item: Item) -> Iterator[tuple[int, bytes]]:
        digest = hashlib.sha256()
        with _damage(item.path), self._file.open(item.path) as part:
            number = 0
            while line := part.readline(MAX_LINES[item.kind]):
                number += 1
                digest.update(line)
                yield number, line.removesuffix(b"\n")
        if digest.hexdigest() != item.sha256:
            raise ArchiveError(f"{item.path} does not have the checksum that {MANIFEST} names")


@contextmanager
def read_archive(path: Path) -> Iterator[Reader]:
    """The archive; its files are yet to be checked. Raises ArchiveError."""
    with _damage(str(path)):
        file = zipfile.ZipFile(path)
    with file:
        with _damage(str(path)):
            archive = _manifest(file, path)
            names = sorted(file.namelist())
        paths = [item.path for item in archive.items]
        if names != sorted([MANIFEST, *paths]) or len(set(paths)) < len(paths):
            raise ArchiveError(f"{path} does not hold the files that its {MANIFEST} names")
        yield Reader(file, archive)


def _manifest(file: zipfile.ZipFile, path: Path) -> Archive:
    if MANIFEST not in file.namelist() or file.getinfo(MANIFEST).file_size > MAX_MANIFEST:
        raise ArchiveError(f"{path} is no backup of this service: {MANIFEST} is missing")
    if not {info.compress_type for info in file.infolist()} <= _COMPRESSIONS:
        raise ArchiveError(f"{path} is compressed in another way than a backup is")
    found = json.loads(file.read(MANIFEST))
    if found["format"] != FORMAT:
        has = found["format"]
        raise ArchiveError(f"{path} has the format {has!r}: this service reads {FORMAT}")
    items = tuple(_item(Item(**item)) for item in found["items"])
    archive = Archive(found["made_at"], found["version"], found["backend"], items)
    if not all(isinstance(text, str) for text in archive[:3]):
        raise TypeError(f"{MANIFEST} is not as a backup has it")
    return archive


def _item(item: Item) -> Item:
    """Itself, when it can be one. Raises BMADError, ValueError or TypeError."""
    if tuple(map(type, item)) != _ITEM:
        raise TypeError(f"{MANIFEST} is not as a backup has it")
    if item.path != path_of(item.kind, item.name):
        raise ArchiveError(f"{item.path} is not where {item.name} would be")
    return item


def path_of(kind: str, name: str) -> str:
    """Where an archive holds a scope or a document. Raises InvalidName, or ArchiveError."""
    if kind == "memory":
        place = parse_scope(name)
        return f"memory/{place.folder}/{place.file}"
    if kind == "document":
        document_file(name)  # or it is no name
        return f"documents/{name}.jsonl"
    raise ArchiveError(f"there is no kind {kind!r} of what is kept")


@contextmanager
def _told(item: Item, number: int) -> Iterator[None]:
    try:
        yield
    except BadLine as error:
        raise ArchiveError(f"{item.path}, line {number}: {error}") from error


@contextmanager
def _damage(what: str) -> Iterator[None]:
    """What a file that is no archive, or no longer one, comes to: everything zip may raise."""
    try:
        yield
    except ArchiveError:
        raise
    except FileNotFoundError:
        raise ArchiveError(f"there is no file {what}") from None
    except OSError as error:
        raise ArchiveError(f"{what} cannot be read: {error.strerror or error}") from error
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError) as error:
        raise ArchiveError(f"{what} is damaged: {error}") from error
    except (KeyError, TypeError, RuntimeError, NotImplementedError, BMADError) as error:
        raise ArchiveError(f"{what} is damaged or no backup: {error}") from error
