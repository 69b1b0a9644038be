"""A file that appears under its name only when it is whole, and never in the place of another.

Until then it is `{name}.{random}.part` beside it: what a process that was killed leaves has such
a name, and may be removed.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .files import is_there, sync_folder


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A stream to write; at the end of the block its content and its name are on the disk.

    Raises FileExistsError when there is something of this name, at the start or by the end, and
    OSError. Then, and when the block raises, nothing half is left.
    """
    if is_there(path):
        raise _taken(path)
    part = path.with_name(f"{path.name}.{secrets.token_hex(6)}.part")
    with _opened(part, path) as stream:
        try:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            _name(part, path)
        finally:
            part.unlink(missing_ok=True)
    sync_folder(path.parent)


def _opened(part: Path, path: Path) -> BinaryIO:
    try:
        return open(part, "xb", opener=_private)
    except OSError as error:  # the name that was asked for, not ours
        raise OSError(error.errno, error.strerror, str(path)) from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _name(part: Path, path: Path) -> None:
    """A rename would replace what another process has put there in the meantime."""
    try:
        path.hardlink_to(part)
    except FileExistsError:
        raise _taken(path) from None
    except OSError:  # FAT and some network volumes know no second name, and say so in many ways
        if is_there(path):
            raise _taken(path) from None
        part.rename(path)


def _taken(path: Path) -> FileExistsError:
    return FileExistsError(errno.EEXIST, "is there already: choose another name", str(path))
