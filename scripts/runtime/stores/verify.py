"""Whether memory files are as they were written, and lines that a person has edited."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import BMADError, StoreError
from . import quarantine
from .damage import named
from .files import is_there, regular, store_fault
from .lines import Line
from .names import check_key, parse_scope, scope_in
from .protocol import Entry
from .reading import each_line, size_of, unended
from .record import BadLine, check_entry, decode, encode, encode_value, glance
from .rewrite import locked, replace_locked


@dataclass(frozen=True, slots=True)
class Bad:
    """A damaged line: its number from 1, the byte where it begins, what is wrong."""

    number: int
    offset: int
    reason: str


@dataclass(slots=True)
class FileReport:
    """What a memory file holds; `torn` is the bytes of an unfinished write at its end.

    `fault` says why there is nothing to be read, empty when there is.
    """

    name: str
    records: int = 0
    keys: int = 0
    size: int = 0
    seq: int = 0
    bad: list[Bad] = field(default_factory=list)
    torn: int = 0
    quarantined: int = 0
    fault: str = ""

    @property
    def is_whole(self) -> bool:
        """An unfinished write at the end was never acknowledged, and is no damage."""
        return not (self.bad or self.quarantined or self.fault)


class Reader:
    """Judges the lines of a file one after another, as whoever serves it does."""

    def __init__(self, path: Path) -> None:
        self.scope = scope_in(path.parent.name, path.name)
        self.seq = 0
        self.keys: set[str] = set()

    def take(self, line: Line) -> Entry | None:
        """The entry of a line, None for an empty one. Raises BadLine."""
        if line.text is None:
            raise BadLine("it is too long")
        if not line.text:
            return None
        entry = decode(line.text)
        self.accept(entry)
        return entry

    def accept(self, entry: Entry) -> None:
        """Raises BadLine for a record that does not belong here."""
        if self.scope is None:
            self.scope = entry.scope
        if entry.scope.casefold() != self.scope.casefold():
            raise BadLine("it belongs to another scope")
        if entry.seq <= self.seq:
            raise BadLine("its number is not the next one")
        self.seq = entry.seq
        (self.keys.add if entry.op == "set" else self.keys.discard)(entry.key)


def memory_files(folder: Path) -> list[Path]:
    """All memory files below `folder`, by name."""
    return sorted(
        path for name in ("isolated", "shared") for path in (folder / name).glob("*.jsonl")
    )


def verify(path: Path) -> FileReport:
    """Read every line of a file. Raises OSError."""
    report, reader, end = FileReport(named(path)), Reader(path), 0
    if is_there(path) and regular(path) is None:
        report.fault = "it is a link, or no file: nothing of it can be used"
    report.size = size_of(path)
    for number, line in enumerate(each_line(path), 1):
        end = line.offset + line.length + 1
        try:
            report.records += reader.take(line) is not None
        except BadLine as reason:
            report.bad.append(Bad(number, line.offset, str(reason)))
    report.keys, report.seq = len(reader.keys), reader.seq
    report.torn = max(report.size - end, 0)
    report.quarantined = quarantine.count(path)
    return report


def refuse_damage(folder: Path) -> None:
    """Raises StoreError that names each damaged file, and OSError."""
    reports = [report for report in map(verify, memory_files(folder)) if not report.is_whole]
    if reports:
        told = "\n".join(map(_told, reports))
        hint = "memory verify says more; repair it, or restore a backup, and remove the quarantine"
        raise StoreError(f"memory.strict: memory is damaged\n{told}\n{hint}", store="memory")


def _told(report: FileReport) -> str:
    places = ", ".join(f"line {bad.number}" for bad in report.bad[:5])
    quarantined = f"{report.quarantined} quarantined" if report.quarantined else ""
    return f"{report.name}: " + "; ".join(filter(None, (report.fault, places, quarantined)))


def reseal(path: Path) -> int:
    """Accept lines that a person has edited: they get a checksum; how many. Raises StoreError.

    A line is accepted when it is a record but for its checksum and its form.
    """
    resealed: list[bytes] = []

    def rewritten() -> Iterator[bytes]:
        lines = [*each_line(path), *unended(path)]
        reader = Reader(path)
        for line, limit in zip(lines, _limits(lines), strict=True):
            try:
                if reader.take(line) is not None and line.text is not None:
                    yield line.text + b"\n"
            except BadLine:
                accepted = _accepted(line, reader, limit)
                if accepted is None:
                    yield _raw(path, line)
                else:
                    resealed.append(line.text or b"")
                    yield accepted

    try:
        with locked(path) as old:
            data = b"".join(rewritten())
            if resealed:
                replace_locked(path, old, data)
        quarantine.forget(path, resealed)
    except OSError as error:
        raise store_fault(error, store="memory", done="resealed") from error
    return len(resealed)


def _limits(lines: Sequence[Line]) -> list[float]:
    """For each line the number of the next sealed one: an edited line must stay below it."""
    limit, found = math.inf, []
    for line in reversed(lines):
        found.append(limit)
        with suppress(BadLine):
            limit = min(limit, glance(line.text or b"").seq)
    return found[::-1]


def _accepted(line: Line, reader: Reader, limit: float) -> bytes | None:
    """The line as it should be; None when it is no record."""
    try:
        fields: dict[str, Any] = json.loads(line.text or b"")
        fields.pop("crc", None)
        entry = Entry(**fields)
        check_key(entry.key)
        check_entry(entry, parse_scope(entry.scope).text)
        if entry.seq >= limit:
            return None
        sealed = encode(entry, encode_value(entry.value))
        reader.accept(decode(sealed[:-1]))
    except (ValueError, TypeError, AttributeError, RecursionError, BMADError, BadLine):
        return None
    return sealed


def _raw(path: Path, line: Line) -> bytes:
    with path.open("rb") as file:
        file.seek(line.offset)
        return file.read(line.length) + b"\n"
