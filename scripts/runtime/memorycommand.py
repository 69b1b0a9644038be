"""`python -m generated memory …`: what an operator does with memory, served or not."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from .configuration import load_settings
from .errors import BMADError, SettingsError, StoreError
from .near import aside, near
from .settings import Settings
from .stores.compacting import compact_now
from .stores.files import regular, store_fault
from .stores.folder import must_be_there
from .stores.protocol import MemoryStore
from .stores.select import make_memory
from .stores.transfer import export_lines, import_file
from .stores.verify import FileReport, memory_files, reseal, verify

FOUND: Final = 1

_EPILOG: Final = """\
exit codes: 0 all is well, 1 damage or lines that cannot be taken, 2 misuse

  %(prog)s verify                      is everything as it was written?
  %(prog)s verify --reseal             accept lines that you have edited
  %(prog)s compact                     drop what is neither newest nor recent
  %(prog)s export memory-backup.jsonl  all of it, one write a line
  MEMORY_BACKEND=redis %(prog)s import memory-backup.jsonl

All may be used while the service runs. Settings: config/runtime.yaml and the environment.
"""


def main(prog: str, root: Path, arguments: Sequence[str]) -> int:
    """The exit code. `root` is the folder that holds `generated/`. Raises BMADError."""
    asked = _parser(prog).parse_args(arguments)
    settings = load_settings(root, os.environ)
    if asked.command != "import" and settings.memory.backend == "file":
        must_be_there(settings.data_dir)
    try:
        if asked.command == "verify":
            return _verify(settings, asked.reseal)
        if asked.command == "compact":
            return _compact(settings)
        if asked.command == "export":
            return asyncio.run(_export(settings, asked.file, asked.scope))
        return asyncio.run(_import(settings, asked.file, replace=asked.replace))
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return FOUND
    except OSError as error:
        if error.filename is not None:  # such as the file to import, which is none of memory's
            raise BMADError(f"{error.filename}: {error.strerror}") from error
        raise store_fault(error, store="memory", done=f"{asked.command}ed") from error


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Look after what memory holds.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    verify = commands.add_parser(
        "verify",
        help="read every line of every memory file",
        description="Read every line of every memory file and name those that are not as they "
        "were written, with line and byte. An unfinished write at the end of a file was never "
        "acknowledged: it is told, and is no damage.",
    )
    verify.add_argument(
        "--reseal",
        action="store_true",
        help="accept lines that a person has edited: they get a new checksum",
    )
    commands.add_parser(
        "compact",
        help="make memory files smaller",
        description="Write each file anew, with the newest value of each key and the last "
        "memory.history writes of its scope. The service does so by itself from "
        "memory.compact_above on.",
    )
    export = commands.add_parser(
        "export",
        help="write all of memory as JSON lines",
        description="One line a write: scope, key, value, category, timestamp, op, seq. Of each "
        "scope the state of one moment, also while the service writes. Works with every backend.",
    )
    export.add_argument(
        "file", nargs="?", default="-", help="a new file; without it, or with -, standard output"
    )
    export.add_argument("--scope", action="append", help="only this one; may be repeated")
    taking = commands.add_parser(
        "import",
        help="read what export has written",
        description="Load the scopes of an exported file into the backend of now, histories and "
        "numbers included. The whole file is looked through before anything changes.",
    )
    taking.add_argument("file", help="what export has written; - is standard input")
    taking.add_argument(
        "--replace", action="store_true", help="also scopes that hold something already"
    )
    return parser


def _verify(settings: Settings, accepts: bool) -> int:
    _only_files(settings)
    reports = []
    for path in memory_files(settings.memory_dir):
        resealed = reseal(path) if accepts and regular(path) else 0
        report = verify(path)
        reports.append(report)
        print(*_told(report, resealed), sep="\n")  # noqa: T201 - it is the answer
    records = sum(report.records for report in reports)
    bad = sum(len(report.bad) for report in reports)
    kept = sum(report.quarantined for report in reports)
    unusable = sum(bool(report.fault) for report in reports)
    print(  # noqa: T201
        f"{_count(len(reports), 'file')}, {_count(records, 'record')}, "
        f"{_count(bad, 'damaged line')}, {kept} in quarantine"
        + (f", {_count(unusable, 'file')} that cannot be used" if unusable else "")
    )
    return 0 if all(report.is_whole for report in reports) else FOUND


def _told(report: FileReport, resealed: int) -> list[str]:
    size = f"{report.size:,} bytes"
    lines = [
        f"{report.name}: {_count(report.records, 'record')}, {_count(report.keys, 'key')}, {size}"
    ]
    lines += [f"  {report.fault}"] if report.fault else []
    lines += [f"  line {bad.number}, byte {bad.offset}: {bad.reason}" for bad in report.bad]
    if report.torn:
        lines.append(f"  {report.torn} bytes of a write that is not finished, at the end")
    if report.quarantined:
        lines.append(f"  {report.quarantined} in {report.name}.quarantine; remove it when done")
    if resealed:
        lines.append(f"  {_count(resealed, 'line')} resealed")
    return lines


def _compact(settings: Settings) -> int:
    _only_files(settings)
    code, freed, files = 0, 0, memory_files(settings.memory_dir)
    for path in files:
        before = path.stat().st_size
        try:
            saved = compact_now(path, settings.memory.history)
        except StoreError as error:
            is_named = path.name in error.message
            _say(error.message if is_named else f"{path.name}: {error.message}")
            code = FOUND
            continue
        if saved:
            print(f"{path.name}: {before:,} bytes, now {before - saved:,}")  # noqa: T201
        freed += saved
    print(f"{_count(len(files), 'file')}, {_count(freed, 'byte')} freed")  # noqa: T201
    return code


async def _export(settings: Settings, file: str, scopes: list[str] | None) -> int:
    memory = make_memory(settings, serving=False)
    try:
        scopes = await _asked_for(memory, scopes)
        writes = await export_lines(memory, scopes, file, _progress)
        damaged: Mapping[str, int] = getattr(memory, "problems", {})
    finally:
        await memory.close()
    for name, lines in damaged.items():
        _say(f"{name}: {_count(lines, 'damaged line')} left out, see verify")
    _say(f"exported {_count(writes, 'write')} of {_count(len(scopes), 'scope')}")
    return FOUND if damaged else 0


async def _asked_for(memory: MemoryStore, scopes: list[str] | None) -> list[str]:
    """These scopes, or all there are. Raises BMADError for one that holds nothing."""
    if not scopes:
        return await memory.scopes()
    for scope in scopes:
        if not (await memory.dump(scope))[1]:
            hint = near(scope, await memory.scopes())
            raise BMADError(f"{scope} holds nothing, and nothing was exported{aside(hint)}")
    return scopes


async def _import(settings: Settings, file: str, *, replace: bool) -> int:
    memory = make_memory(settings, serving=False)
    try:
        scopes, writes, fault = await import_file(memory, file, replace, _progress)
    finally:
        await memory.close()
    if fault is not None:
        _say(fault)
        return FOUND
    _say(
        f"imported {_count(writes, 'write')} of {_count(scopes, 'scope')} "
        f"into memory in {memory.backend}"
    )
    return 0


def _only_files(settings: Settings) -> None:
    if settings.memory.backend != "file":
        message = "only memory in files is verified and compacted"
        raise SettingsError(message, where=f"memory.backend is {settings.memory.backend}")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _say(text: str) -> None:
    """To people: standard output may be the export itself."""
    clear = "\r\x1b[K" if sys.stderr.isatty() else ""
    sys.stderr.write(f"{clear}{text}\n")


def _progress(done: int, of: int) -> None:
    """On a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[Kscope {done} of {of}")
        sys.stderr.flush()
