"""The folder of sources that was meant, when another one was named."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from .arguments import SRC

_AGENTS: Final = "agents"


def meant(src: Path) -> str:
    """The folder above or below `src` that holds `agents/*.md`, as it would be typed; else ""."""
    inner = src / Path(SRC).name
    if any((inner / _AGENTS).glob("*.md")):
        return inner.as_posix()
    if src.resolve().name == _AGENTS and any(src.glob("*.md")):
        return (src.parent if src.name == _AGENTS else src / "..").as_posix()
    return ""
