"""The files that agents name: their assets, and the schemas of their answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ..runtime.yamltext import Mapping, read
from . import schema, sources
from .diagnostics import Diagnostics, Position, near_match, quoted
from .dialects.assets import checked
from .dialects.fields import Fields, stray_character
from .model import Agent

_CODES: Final[dict[sources.FaultKind, str]] = {
    "unreadable": "BMAD101",
    "special": "BMAD113",
    "large": "BMAD103",
    "name": "BMAD115",
    "missing": "BMAD209",
}
