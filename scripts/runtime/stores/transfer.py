"""All of memory as JSON lines, and back: between backends, or to another place."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final

from ..errors import BMADError
from .names import check_key, parse_scope
from .newfile import new_file
from .protocol import Entry, MemoryStore
from .record import MAX_LINE, check_entry, encode_value

FIELDS: Final = ("scope", "key", "value", "category", "timestamp", "op", "seq")

Progress = Callable[[int, int], None]


class BadImport(Exception):
    """A line that cannot be taken; the text names the file and the line."""


async def export_lines(
    memory: MemoryStore, scopes: Sequence[str], file: str, progress: Progress
) -> int:
    """Write all kept writes of these scopes, one a line; how many. Raises OSError, StoreError.

    A file appears under its name only when it is whole; it must not be there yet.
    """
    writes = 0
    with _target(file) as stream:
        for number, scope in enumerate(scopes, 1):
            progress(number, len(scopes))
            _, entries = await memory.dump(scope)
            stream.writelines(map(_line, entries))
            writes += len(entries)
    return writes


async def import_file(
    memory: MemoryStore, file: str, replace: bool, progress: Progress
) -> tuple[int, int, str | None]:
    """Load what was exported: scopes, writes, and what stands in the way, if anything.

    Nothing is changed before the whole file has been looked through.
    """
    with _source(file) as stream:
        name = "standard input" if file == "-" else file
        try:
            found = {scope: len(entries) for scope, entries in _scopes(stream, name)}
        except BadImport as fault:
            return 0, 0, str(fault)
        full = [] if replace else sorted(set(found) & set(await memory.scopes()))
        if full:
            some = ", ".join(full[:5]) + (", …" if len(full) > 5 else "")
            told = f"{len(full)} of these scopes hold something; --replace takes it: {some}"
            return 0, 0, f"nothing was imported: {told}"
        stream.seek(0)
        for number, (scope, entries) in enumerate(_scopes(stream, name), 1):
            progress(number, len(found))
            await memory.load(scope, entries)
    return len(found), sum(found.values()), None


def _line(entry: Entry) -> bytes:
    fields = {name: getattr(entry, name) for name in FIELDS}
    return json.dumps(fields, separators=(",", ":")).encode("ascii") + b"\n"


def _scopes(stream: IO[bytes], name: str) -> Iterator[tuple[str, list[Entry]]]:
    """The writes of one scope after another, as they stand together. Raises BadImport."""
    done: set[str] = set()
    entries: list[Entry] = []
    for number, line in enumerate(iter(lambda: stream.readline(2 * MAX_LINE), b""), 1):
        try:
            entry = _entry(line)
            if entries and entry.scope != entries[-1].scope:
                done.add(entries[-1].scope)
                yield entries[-1].scope, entries
                entries = []
            if entry.scope in done:
                raise ValueError("the writes of a scope should stand together")
            if entries and entry.seq <= entries[-1].seq:
                raise ValueError("seq should rise within a scope")
        except BMADError as error:
            raise BadImport(f"{name}:{number}: {error.message}") from error
        except (ValueError, TypeError, RecursionError) as error:
            raise BadImport(f"{name}:{number}: {error}") from error
        entries.append(entry)
    if entries:
        yield entries[-1].scope, entries


def _entry(line: bytes) -> Entry:
    fields: Any = json.loads(line)
    if not isinstance(fields, dict) or set(fields) != set(FIELDS):
        raise ValueError(f"should be an object of {', '.join(FIELDS)}")
    texts = [fields[name] for name in ("scope", "key", "timestamp", "op")]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("scope, key, timestamp and op should be texts")
    entry = Entry(**fields)
    check_key(entry.key)
    check_entry(entry, parse_scope(entry.scope).text)
    encode_value(entry.value)
    return entry


@contextlib.contextmanager
def _target(file: str) -> Iterator[IO[bytes]]:
    if file == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with new_file(Path(file)) as stream:
        yield stream


@contextlib.contextmanager
def _source(file: str) -> Iterator[IO[bytes]]:
    """A stream that can be read twice."""
    if file != "-":
        with Path(file).open("rb") as stream:
            yield stream
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.seek(0)
        yield copy
