"""Which memory files hold, or held, damaged lines."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ..errors import StoreError
from . import quarantine
from .journal import Journal


class Damage:
    """Lines by file, `isolated/a_S-1.jsonl`, until the file is whole and its quarantine gone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines: dict[str, int] = {}

    def look(self) -> None:
        """See what earlier processes have quarantined. Raises OSError."""
        for kept in self._folder.glob(f"*/*.jsonl{quarantine.SUFFIX}"):
            path = kept.with_name(kept.name.removesuffix(quarantine.SUFFIX))
            self._lines[named(path)] = quarantine.count(path)

    def note(self, journal: Journal) -> None:
        """Remember what a journal has met."""
        if journal.bad_lines:
            name = named(journal.path)
            self._lines[name] = max(journal.bad_lines, self._lines.get(name, 0))

    def problems(self, journals: Iterable[Journal]) -> dict[str, int]:
        """What is still so, while these journals are open."""
        bad = set()
        for journal in journals:
            if journal.bad_lines and not quarantine.of(journal.path).exists():
                with suppress(StoreError):  # told to whoever reads the scope
                    journal.refresh()  # it may have been repaired since
            self.note(journal)
            if journal.bad_lines:
                bad.add(named(journal.path))
        for name in list(self._lines):
            if name not in bad and not quarantine.of(self._folder / name).exists():
                del self._lines[name]
        return dict(self._lines)


def named(path: Path) -> str:
    """A memory file as people are told of it."""
    return f"{path.parent.name}/{path.name}"
