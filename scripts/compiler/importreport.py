"""What became of each construct of an imported project: as text and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from .diagnostics import Diagnostics, one_line
from .dialects.draft import Account, Draft, Fate
from .summary import Style, many

_FATES: Final[tuple[Fate, ...]] = ("carried", "approximated", "left")
_COLOURS: Final = {"carried": "note", "approximated": "warning", "left": "error"}


class Report:
    """The accounts of a draft, sorted as a reader would go through the files."""

    def __init__(self, draft: Draft, found: Diagnostics, shown: str) -> None:
        self.draft = draft
        self.found = found
        self.shown = shown
        self.accounts = sorted(set(draft.accounts), key=_order)

    def counts(self) -> dict[str, Counter[str]]:
        """How many constructs of each kind met each fate."""
        found: dict[str, Counter[str]] = {}
        for account in self.accounts:
            found.setdefault(account.construct, Counter())[account.fate] += 1
        return dict(sorted(found.items()))

    def share(self) -> float:
        """The share of constructs that were carried over as they stand, from 0 to 1."""
        carried = sum(account.fate == "carried" for account in self.accounts)
        return carried / len(self.accounts) if self.accounts else 1.0

    def summary(self, style: Style) -> Iterator[str]:
        """One line for each kind of construct, and the share."""
        counts = self.counts()
        width = max((len(construct) for construct in counts), default=0)
        for construct, fates in counts.items():
            parts = [
                _paint(style, fate, f"{fates[fate]:,} {fate}") for fate in _FATES if fates[fate]
            ]
            yield f"{construct:<{width}}  {', '.join(parts)}"
        whole = many(len(self.accounts), "construct")
        yield f"{self.share():.1%} of {whole} carried over as they stand"

    def lines(self, style: Style, *, coloured: bool = True) -> Iterator[str]:
        """Every construct with its place, then the summary."""
        for account in self.accounts:
            at = f"{self.shown}/{account.at.path}:{account.at.line}"
            fate = _paint(style, account.fate, account.fate) if coloured else account.fate
            why = f": {account.why}" if account.why else ""
            name = one_line(account.name)
            yield one_line(f"{at}: ") + f"{fate} {account.construct} {name}{one_line(why)}"
        yield from self.summary(style) if coloured else self.summary(_PLAIN)

    def as_json(self, written: list[str], edited: list[str], seconds: float) -> str:
        """One object; `share` is from 0 to 1."""
        data: dict[str, Any] = {
            "dialect": self.draft.dialect,
            "agents": len(self.draft.agents),
            "flows": len(self.draft.flows),
            "share": round(self.share(), 4),
            "counts": {construct: dict(fates) for construct, fates in self.counts().items()},
            "constructs": [_data(account) for account in self.accounts],
            "findings": [asdict(found) for found in self.found],
            "written": written,
            "edited": edited,
            "duration_ms": round(seconds * 1000),
        }
        return json.dumps(data, ensure_ascii=False, indent=1)


class _Plain(Style):
    def __init__(self) -> None:
        self.coloured = False


_PLAIN: Final = _Plain()


def _paint(style: Style, fate: str, text: str) -> str:
    return style.paint(text, _COLOURS[fate])


def _order(account: Account) -> tuple[str, int, int, str, str, str, str]:
    at = account.at
    return at.path, at.line, at.column, account.construct, account.name, account.fate, account.why


def _data(account: Account) -> dict[str, Any]:
    return {
        "path": account.at.path,
        "line": account.at.line,
        "construct": account.construct,
        "name": account.name,
        "fate": account.fate,
        "why": account.why,
    }
