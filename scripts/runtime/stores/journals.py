"""The memory files below a folder: where a scope's is, and those that are kept open."""

from __future__ import annotations

import os
import resource
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from .journal import Journal
from .names import parse_scope, scope_in
from .reading import first_scope
from .turn import Folder

FOLDERS: Final = ("isolated", "shared")
MAX_OPEN: Final = 1024  # files that are kept open with their index


class Journals:
    """The journals of the scopes that were used last, each open with its index."""

    def __init__(
        self, folder: Path, history: int, max_open: int | None, closing: Callable[[Journal], None]
    ) -> None:
        """`max_open` are kept open: MAX_OPEN, where the system allows four times as many.

        `closing` is told of each before it is closed.
        """
        self._folder = folder
        self._folders = {name: Folder(str(folder / name)) for name in FOLDERS}
        self._history = history
        self._max_open = max_open or keepable(MAX_OPEN)
        self._closing = closing
        self._open: OrderedDict[str, Journal] = OrderedDict()

    def __iter__(self) -> Iterator[Journal]:
        """Those that are open."""
        return iter(self._open.values())

    def of(self, scope: str) -> Journal:
        """The journal of a scope, whose file need not be there. Raises InvalidName."""
        journal = self._open.get(scope)
        if journal is not None:
            self._open.move_to_end(scope)
            return journal
        name, folder = self._place(scope)
        journal = Journal(name, scope, self._history, folder)
        self._open[scope] = journal
        if len(self._open) > self._max_open:
            self._close_oldest(scope)
        return journal

    def found(self, scope: str) -> Journal | None:
        """The journal of a scope; None when it has no file: nothing is kept open for that.

        Many new stories at once would otherwise close each other's files all the time.
        """
        if scope not in self._open and _is_missing(self._place(scope)[0]):
            return None
        return self.of(scope)

    def path(self, scope: str) -> Path:
        """Where the file of a scope is, or would be. Raises InvalidName."""
        return Path(self._place(scope)[0])

    def scopes(self) -> list[str]:
        """All scopes whose file holds anything, sorted. Raises OSError."""
        folders = (self._folder / folder for folder in FOLDERS)
        paths = (path for folder in folders for path in folder.glob("*.jsonl"))
        filled = (path for path in paths if path.lstat().st_size)
        scopes = (scope_in(path.parent.name, path.name) or first_scope(path) for path in filled)
        return sorted(filter(None, scopes))

    def mark(self, scope: str) -> dict[str, str]:
        """What changes with each write, by scope; empty for one without values. Raises OSError."""
        status = self.path(scope).lstat()
        return {scope: _mark(status)} if status.st_size else {}

    def marks(self, agent_id: str) -> dict[str, str]:
        """The same of all scopes of an agent. Raises OSError."""
        folder, owner, found = self._folder / FOLDERS[0], f"{agent_id}:", {}
        start = f"{agent_id}_"
        with os.scandir(folder) as files:
            for file in files:
                if file.name.startswith(start) and file.name.endswith(".jsonl"):
                    scope = scope_in(FOLDERS[0], file.name) or first_scope(folder / file.name)
                    with suppress(FileNotFoundError):
                        status = file.stat(follow_symlinks=False)
                        if scope is not None and scope.startswith(owner) and status.st_size:
                            found[scope] = _mark(status)
        return found

    def close(self) -> None:
        """Give back all files."""
        while self._open:
            self._close(self._open.popitem()[1])

    def _place(self, scope: str) -> tuple[str, Folder]:
        place = parse_scope(scope)
        folder = self._folders[place.folder]
        return f"{folder.name}/{place.file}", folder

    def _close_oldest(self, but: str) -> None:
        while len(self._open) > self._max_open:
            # The oldest come first, and nearly always nobody uses them: not all are looked at.
            idle = (s for s, journal in self._open.items() if not journal.users and s != but)
            scope = next(idle, None)
            if scope is None:
                return
            self._close(self._open.pop(scope))

    def _close(self, journal: Journal) -> None:
        self._closing(journal)
        journal.close()


def keepable(most: int) -> int:
    """How many files may be kept open: `most`, or a quarter of what this process may have open.

    The rest is for clients, runs and documents, which can do nothing without.
    """
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most if allowed == resource.RLIM_INFINITY else max(min(most, allowed // 4), 1)


@contextmanager
def in_use(journal: Journal) -> Iterator[None]:
    """Not to be closed while we wait."""
    journal.users += 1
    try:
        yield
    finally:
        journal.users -= 1


def _is_missing(name: str) -> bool:
    try:
        os.lstat(name)  # a Path costs more
    except FileNotFoundError:
        return True
    except OSError:
        return False  # whoever opens it tells what is wrong
    return False


def _mark(status: os.stat_result) -> str:
    return f"{status.st_ino} {status.st_size} {status.st_mtime_ns}"
