"""Which formatter is installed, told from the names of folders: importing it would cost more."""

from __future__ import annotations

import os
import sys

FORMATTERS = ("ruff", "black")


def versions() -> dict[str, str]:
    """The version of each of FORMATTERS that the running Python would import."""
    found: dict[str, str] = {}
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")  # noqa: PTH208
        except OSError:
            continue  # sys.path may name what does not exist
        for name in names:
            if not name.endswith(".dist-info"):
                continue
            distribution, _, version = name[: -len(".dist-info")].partition("-")
            if distribution in FORMATTERS:
                found.setdefault(distribution, version)
    return found


def formatter() -> str:
    """The name and version of the one that is asked first; `none` when there is none."""
    found = versions()
    for name in FORMATTERS:
        if name in found:
            return f"{name} {found[name]}"
    return "none"
