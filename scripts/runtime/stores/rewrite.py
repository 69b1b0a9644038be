"""Memory files that are written anew, and what stands at the head of one."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from .files import open_regular, sync_folder
from .record import MAX_LINE, BadLine, decode

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def replace(path: Path, data: bytes) -> None:
    """Put `data` in the place of the file, whole or not at all. Raises OSError."""
    new = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(6)}.tmp")
    try:
        with os.fdopen(os.open(new, _NEW, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def first_scope(path: Path) -> str | None:
    """The scope that the first line of a file names; None when it has no such line."""
    descriptor = open_regular(path)
    if descriptor is None:
        return None
    with os.fdopen(descriptor, "rb") as file:
        try:
            return decode(file.readline(MAX_LINE).removesuffix(b"\n")).scope
        except BadLine:
            return None
