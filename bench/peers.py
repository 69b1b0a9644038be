"""The peers' own environment, `.venv-bench`, made on first use."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from .options import ROOT

_FOLDER = ROOT / ".venv-bench"
_PINS = ROOT / "bench" / "requirements.txt"
_STAMP = _FOLDER / "installed.sha256"


def python() -> str:
    """The interpreter that has the peers; installs them when the pins are new."""
    pins = hashlib.sha256(_PINS.read_bytes() + sys.version.encode()).hexdigest()
    if not _STAMP.is_file() or _STAMP.read_text(encoding="utf-8") != pins:
        _install()
        _STAMP.write_text(pins, encoding="utf-8")
    return str(_executable("python"))


def folder() -> str:
    """Where the peers' commands are; put before PATH for those that call one another."""
    return str(_executable("python").parent)


def _executable(name: str) -> Path:
    return _FOLDER / "bin" / name


def _install() -> None:
    """A minute or two: environment, packages, then bytecode, so that no peer pays for it."""
    _say("making .venv-bench for the peers (once; a minute or two)")
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(_FOLDER)], check=True)
    pip = [str(_executable("python")), "-m", "pip", "install", "--quiet", "--compile"]
    _say(f"installing the pins of {_PINS.relative_to(ROOT)}")
    subprocess.run([*pip, "-r", str(_PINS)], check=True)
    _say("the peers are ready")


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)
