"""SHA-256 of files and of the compiler itself. It imports nothing heavy."""

from __future__ import annotations

import os
from hashlib import sha256

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
_PARTS = ("compiler", "templates", "runtime")
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_CHUNK = 1 << 15  # larger buffers cost a system call each


def of_bytes(data: bytes) -> str:
    """The SHA-256 of `data` in hexadecimal digits."""
    return sha256(data).hexdigest()


def of_file(path: str) -> str | None:
    """The SHA-256 of a regular file's bytes; None when there is none to be read."""
    try:
        return sha256(_read(path)).hexdigest()
    except OSError:
        return None


def of_compiler(formatter: str) -> str:
    """What the output depends on beside the sources; `formatter` is its name and version."""
    total = sha256(formatter.encode())
    for part in _PARTS:
        top = f"{PACKAGE}/{part}"
        for path in files_below(top):
            data = _read(f"{top}/{path}")
            total.update(f"\0{part}/{path}\0{len(data)}\0".encode())
            total.update(data)
    return total.hexdigest()


def files_below(top: str) -> list[str]:
    """Every path below `top` that is not a folder, sorted; Python's caches are left out."""
    found: list[str] = []
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        with os.scandir(f"{top}/{folder}") as entries:
            for entry in entries:
                name = entry.name
                if name == "__pycache__" or name.endswith(".pyc"):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{folder}{name}/")
                else:
                    found.append(folder + name)
    return sorted(found)


def _read(path: str) -> bytes:
    handle = os.open(path, _FLAGS)
    try:
        data = os.read(handle, _CHUNK)
        if len(data) == _CHUNK:
            while more := os.read(handle, 1 << 20):
                data += more
        return data
    finally:
        os.close(handle)
