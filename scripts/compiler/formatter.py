"""ruff over the files that changed, black where ruff cannot be had, else the text as it is."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Final

from .distribution import versions
from .layout import WIDTH

NONE: Final = "none"
_TIMEOUT: Final = 120  # seconds


def format_files(files: Mapping[str, bytes]) -> tuple[dict[str, bytes], str]:
    """The files as a formatter leaves them, and its name and version, or `none`."""
    if not files:
        return {}, ""
    installed = versions()
    for name, run in (("ruff", _ruff), ("black", _black)):
        if name in installed and (formatted := run(files)) is not None:
            return formatted, f"{name} {installed[name]}"
    return dict(files), NONE


def ruff_program() -> str | None:
    """ruff's binary: beside the running Python, else where its package says; None without."""
    beside = Path(sys.executable).parent / ("ruff.exe" if os.name == "nt" else "ruff")
    if beside.is_file():
        return str(beside)
    try:
        # Only where ruff is installed apart from Python: its package knows where to look.
        return str(import_module("ruff").find_ruff_bin())
    except (ImportError, FileNotFoundError):
        return None


def _ruff(files: Mapping[str, bytes]) -> dict[str, bytes] | None:
    program = ruff_program()
    if program is None:
        return None
    try:
        with tempfile.TemporaryDirectory(prefix="bmad2pf-") as folder:
            return _formatted_in(Path(folder), files, program)
    except OSError:
        return None  # no room for it, perhaps: black needs none


def _formatted_in(
    folder: Path, files: Mapping[str, bytes], program: str
) -> dict[str, bytes] | None:
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    command = [program, "format", "--isolated", "--no-cache", "--quiet"]
    command += ["--line-length", str(WIDTH), "--target-version", "py311", str(folder)]
    if not _succeeds(command):
        return None
    return {path: (folder / path).read_bytes() for path in files}


def _succeeds(command: list[str]) -> bool:
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,  # its end is seen at once; waiting alone would poll
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False  # the next formatter is asked, and the last one's failure is told
    return ended.returncode == 0


def _black(files: Mapping[str, bytes]) -> dict[str, bytes] | None:
    try:
        import black
        from black.mode import TargetVersion
        from black.parsing import InvalidInput
    except ImportError:
        return None
    mode = black.Mode(line_length=WIDTH, target_versions={TargetVersion.PY311})
    try:
        return {
            path: black.format_str(data.decode(), mode=mode).encode()
            for path, data in files.items()
        }
    except (InvalidInput, ValueError):
        return None
