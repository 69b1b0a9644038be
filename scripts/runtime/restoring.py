"""The mark of a restore that goes on: what stays of it tells that it did not end."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from .clock import now
from .stores.files import store_fault

MARK: Final = ".restore"


def begin(folder: Path, archive: str) -> None:
    """`folder` is that of memory; it is made if need be. Raises StoreError.

    Where there is no room for a mark, none appears, and an earlier one stays.
    """
    text = json.dumps({"archive": archive, "began": now()})
    new = folder / f"{MARK}.{os.getpid()}.tmp"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            new.write_text(f"{text}\n", "utf-8")
            new.replace(folder / MARK)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise store_fault(error, store="memory", done="written") from error


def end(folder: Path) -> None:
    """All is restored."""
    (folder / MARK).unlink(missing_ok=True)


def unfinished(folder: Path) -> str | None:
    """The words for a restore that did not come to its end; None when there was none."""
    try:
        text = (folder / MARK).read_text("utf-8")
    except OSError:
        return None
    with suppress(ValueError, KeyError, TypeError):
        told = json.loads(text)
        return (
            f"the restore of {told['archive']} that began at {told['began']} did not end: some of "
            "its scopes and documents are restored and the others are as before; run it again"
        )
    return "a restore did not end: run it again"
