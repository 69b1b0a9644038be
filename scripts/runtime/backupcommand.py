"""`python -m generated backup FILE` and `restore FILE`: both stores, served or not."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from .archive import Archive
from .backup import Stores, back_up, check, restore
from .configuration import load_settings
from .restoring import unfinished
from .settings import Settings
from .stores.folder import must_be_there
from .stores.select import make_documents, make_memory, place

_BACKUP: Final = """\
Memory and documents into a new file, with histories, revisions and authors; each scope and each
document is as of one moment, and what was acknowledged before the start is in. The service may
go on. Runs that have not ended are not part of it.
"""
_RESTORE: Final = """\
Put what a backup holds in the place of what is there: every scope and document of it as a whole;
others stay as they are. The whole file is looked through before anything changes. The backend of
now need not be that of the backup.
"""

_EPILOG: Final = """\
exit codes: 0 done, 1 done but for what is named, 2 not done, with the reason

  {0} backup monday.zip           while the service runs
  {0} restore --check monday.zip  is the file whole?
  {0} restore monday.zip

Settings: config/runtime.yaml and the environment (BMAD_DATA_DIR, MEMORY_BACKEND, …).
"""

FOUND: Final = 1

Use = Callable[[Stores], Awaitable[Archive]]


def main(prog: str, root: Path, arguments: Sequence[str]) -> int:
    """The exit code. `root` is the folder that holds `generated/`. Raises BMADError."""
    restores = prog.endswith("restore")
    asked = _parser(prog, restores=restores).parse_args(arguments)
    if restores and asked.check:
        archive = asyncio.run(check(asked.file, _progress))
        _say(f"{asked.file} is whole: {_what(archive)}, of {archive.made_at}")
        return 0
    settings = load_settings(root, os.environ)
    return asyncio.run((_restore if restores else _back_up)(settings, asked.file))


def _parser(prog: str, *, restores: bool) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description=_RESTORE if restores else _BACKUP,
        epilog=_EPILOG.format(prog.rpartition(" ")[0]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    told = "what backup has written" if restores else "a new file, such as monday.zip"
    parser.add_argument("file", type=Path, help=told)
    if restores:
        parser.add_argument("--check", action="store_true", help="only look it through")
    return parser


async def _back_up(settings: Settings, file: Path) -> int:
    must_be_there(settings.data_dir)
    left = unfinished(settings.memory_dir)
    if left is not None:
        _say(f"warning: {left}")
    archive, damaged = await _with_stores(settings, lambda stores: back_up(stores, file, _progress))
    for told in archive.left_out:
        _say(told)
    _say(f"{file} holds {_what(archive)}")
    return FOUND if archive.left_out or damaged else 0


async def _restore(settings: Settings, file: Path) -> int:
    left = unfinished(settings.memory_dir)
    if left is not None:
        _say(f"warning: {left}")
    archive, _ = await _with_stores(settings, lambda stores: restore(stores, file, _progress))
    _say(f"restored {_what(archive)}, of {archive.made_at}")
    _say(f"memory: {place(settings)}; documents: {settings.documents_dir}")
    return 0


async def _with_stores(settings: Settings, use: Use) -> tuple[Archive, int]:
    """What came of it, and in how many scopes lines are damaged."""
    memory = make_memory(settings, serving=False)
    try:
        documents = make_documents(settings, serving=False)
        archive = await use(Stores(memory, documents, settings.memory_dir))
        found = getattr(memory, "problems", None)
        damaged = found if isinstance(found, dict) else {}
        for name, lines in damaged.items():
            _say(f"{name}: {_count(lines, 'damaged line')} left out, see memory verify")
        return archive, len(damaged)
    finally:
        await memory.close()


def _what(archive: Archive) -> str:
    scopes = [item for item in archive.items if item.kind == "memory"]
    documents = [item for item in archive.items if item.kind == "document"]
    return (
        f"{_count(len(scopes), 'scope')} with {_count(sum(s.lines for s in scopes), 'write')} and "
        f"{_count(len(documents), 'document')} "
        f"with {_count(sum(d.lines for d in documents), 'revision')}"
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _say(text: str) -> None:
    clear = "\r\x1b[K" if sys.stderr.isatty() else ""
    sys.stderr.write(f"{clear}{text}\n")


def _progress(what: str, done: int, of: int) -> None:
    """On a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{what} {done} of {of}")
        sys.stderr.flush()
