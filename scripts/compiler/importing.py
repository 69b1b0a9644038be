"""`bmad2pf import`: a foreign tree as native sources that their author reads and owns."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Final

from . import digest, importreport, report
from .diagnostics import Diagnostics, Position
from .dialects.draft import Account, Draft, Origin
from .dialects.writing import Written, write
from .exitcode import FOUND, MISUSED, SUCCESS
from .meant import meant
from .place import Misuse, understood
from .summary import Style, many, tally

NOTE: Final = ".import.sha256"
_HEAD: Final = "# What bmad2pf import wrote, so that it never overwrites what was edited since.\n"
_PART: Final = ".bmad2pf-part"
Notes = dict[str, set[str]]


@dataclass(slots=True)
class ImportOptions:
    """What `bmad2pf import` was asked to do. `report` is a file, `-` for the terminal."""

    src: str
    to: str = "./bmad"
    report: str = ""
    format: str = "text"
    force: bool = False


@dataclass(slots=True)
class Outcome:
    """Native paths: what was written, left as it was, taken away, and kept because of edits."""

    written: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)


def import_project(options: ImportOptions) -> int:
    """Do what was asked and say so; the exit code."""
    started = perf_counter()
    found = Diagnostics()
    src, to = Path(os.path.normpath(options.src)), Path(os.path.normpath(options.to))
    try:
        _refuse(src, to)
        _refuse_report(options.report)
        draft, written = translated(src, found)
        outcome = _keep(written.files, to, found, force=options.force)
    except Misuse as misuse:
        sys.stderr.write(f"bmad2pf: {misuse}\n")
        return MISUSED
    except OSError as error:
        at = Position(os.fsdecode(error.filename) if error.filename else str(to))
        message = f"cannot be written: {error.strerror or type(error).__name__}"
        found.add("BMAD503", at, message, "make room or give access, then import again")
        _say_findings(options, found)
        return FOUND
    result = importreport.Report(draft, found, src.as_posix())
    seconds = perf_counter() - started
    _say(options, result, outcome, to, seconds)
    is_kept = _keep_report(options, result, outcome, seconds)
    return FOUND if found.has("error") or not is_kept else SUCCESS


def _refuse(src: Path, to: Path) -> None:
    if not src.is_dir():
        what = "is not a folder" if src.exists() else "does not exist"
        raise Misuse(f'import: "{src}" {what}')
    source, target = src.resolve(), to.resolve()
    if source == target:
        raise Misuse(f'--to: "{to}" is the tree that is imported; name another folder')
    if to.exists() and not to.is_dir():
        raise Misuse(f'--to: "{to}" is not a folder')
    if (target / ".git").exists():
        raise Misuse(f'--to: "{to}" is a repository; name a folder inside it')


def _refuse_report(report: str) -> None:
    """Before anything is written: a report that has no place to go to."""
    path = Path(report)
    if report in ("", "-"):
        return
    if path.is_dir():
        raise Misuse(f'--report: "{path}" is a folder; name a file')
    if not path.parent.is_dir():
        raise Misuse(f'--report: there is no folder "{path.parent}"; make it first')


def translated(src: Path, found: Diagnostics) -> tuple[Draft, Written]:
    """The draft with all that nobody took accounted for, and its native files."""
    sources = understood(src, src.as_posix(), found)
    if sources.draft is None and sources.reasons:
        shown = src.as_posix()
        raise Misuse(f'import: "{shown}" is native already; compile it: bmad2pf --src {shown}')
    if sources.draft is None:
        more = f'; there are some in "{near}"' if (near := meant(src)) else ""
        raise Misuse(f'import: "{src}" holds no agents in a form that is known{more}')
    draft = sources.draft
    known = {file.at.path for file in draft.files.values()} | set(draft.taken)
    known |= {account.at.path for account in draft.accounts}
    native = {path for path, _ in sources.files} - sources.translated
    for path, _ in sources.scanned:
        if path not in known:
            is_native = path in native
            why = "it is native already" if is_native else "no agent, workflow or table names it"
            draft.accounts.append(Account(Origin(path), "file", path, "left", why))
    return draft, write(draft)


def _keep(files: Mapping[str, bytes], to: Path, found: Diagnostics, *, force: bool) -> Outcome:
    """Bring the folder to what was made; never over what somebody edited. Raises OSError.

    The note names old and new hashes before a file changes, and only the new ones when all
    have: whoever is interrupted finds no file of ours taken for an edited one.
    """
    before = _note(to)
    outcome = Outcome()
    for path, data in sorted(files.items()):
        here = _read(to / path)
        if here == data:
            outcome.same.append(path)
        elif here is None or force or _hash(here) in before.get(path, ()):
            outcome.written.append(path)
        else:
            outcome.edited.append(path)
            known = path in before
            what = "was edited since it was imported" if known else "is from no import"
            message = f"the file {what}, and is left as it is"
            hint = "--force overwrites it; take your change over by hand, or delete the file"
            found.add("BMAD646", Position(f"{to.as_posix()}/{path}"), message, hint)
    _find_removed(files, before, to, outcome, force=force)
    after = {path: {_hash(data)} for path, data in files.items()}
    for path in outcome.edited:
        after[path] = before.get(path, after.get(path, set()))
    if outcome.written or outcome.removed:
        both = {path: before.get(path, set()) | after.get(path, set()) for path in before | after}
        _write_note(to, both)
    for path in outcome.written:
        _write(to / path, files[path])
    for path in outcome.removed:
        (to / path).unlink()
    _write_note(to, after)
    return outcome


def _find_removed(
    files: Mapping[str, bytes], before: Notes, to: Path, outcome: Outcome, *, force: bool
) -> None:
    """What an earlier import wrote, and this one does not."""
    for path in sorted(set(before) - set(files)):
        here = _read(to / path)
        if here is not None:
            ours = force or _hash(here) in before[path]
            (outcome.removed if ours else outcome.edited).append(path)


def _hash(data: bytes) -> str:
    return digest.of_bytes(data)


def _note(to: Path) -> Notes:
    """The hashes that the last import noted, by path."""
    found: Notes = {}
    for line in (_read(to / NOTE) or b"").decode(errors="replace").splitlines():
        hash_, gap, path = line[:64], line[64:66], line[66:]
        parts = path.split("/")
        if gap == "  " and path and ".." not in parts and "" not in parts and hash_.isalnum():
            found.setdefault(path, set()).add(hash_)
    return found


def _write_note(to: Path, notes: Notes) -> None:
    lines = [
        f"{each}  {path}\n" for path, hashes in sorted(notes.items()) for each in sorted(hashes)
    ]
    data = (_HEAD + "".join(lines)).encode()
    if _read(to / NOTE) != data:
        _write(to / NOTE, data)


def _read(path: Path) -> bytes | None:
    """A regular file's bytes; None when there is none. A link is never followed."""
    if path.is_symlink():
        raise IsADirectoryError(0, "a link stands there", str(path))
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all: beside its place first, then moved there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}{_PART}")
    part.write_bytes(data)
    part.replace(path)


def _say_findings(options: ImportOptions, found: Diagnostics) -> None:
    if options.format == "text":
        sys.stdout.write("\n".join(report.findings(found, Style(sys.stdout))) + "\n")
    else:
        sys.stdout.write(f'{{"findings": {report.findings_json(found)}}}\n')


def _keep_report(
    options: ImportOptions, result: importreport.Report, outcome: Outcome, seconds: float
) -> bool:
    """Write the report's file; False, and a line that says why, when that is not possible."""
    if options.report in ("", "-"):
        return True
    text = result.as_json(outcome.written, outcome.edited, seconds)
    if not options.report.endswith(".json"):
        text = "\n".join(result.lines(Style(sys.stdout), coloured=False))
    try:
        Path(options.report).write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        why = error.strerror or type(error).__name__
        sys.stderr.write(f"bmad2pf: --report: {options.report} cannot be written: {why}\n")
        return False
    return True


def _say(
    options: ImportOptions,
    result: importreport.Report,
    outcome: Outcome,
    to: Path,
    seconds: float,
) -> None:
    if options.format == "json":
        sys.stdout.write(result.as_json(outcome.written, outcome.edited, seconds) + "\n")
        return
    style = Style(sys.stdout)
    lines = list(report.findings(result.found, style))
    lines += result.lines(style) if options.report == "-" else result.summary(style)
    parts = [
        f"{len(paths):,} {what}"
        for what, paths in (
            ("written", outcome.written),
            ("as they were", outcome.same),
            ("removed", outcome.removed),
            ("edited and left", outcome.edited),
        )
        if paths
    ]
    agents, flows = len(result.draft.agents), len(result.draft.flows)
    counts = f"{many(agents, 'agent')}, {many(flows, 'flow')} to {to.as_posix()}"
    told = tally((each.severity for each in result.found), strict=False)
    done = f"{', '.join(parts) or 'nothing'}{'; ' if told else ''}{told}"
    lines.append(f"{counts}: {done} ({seconds:.2f} s)")
    sys.stdout.write("\n".join(lines) + "\n")
