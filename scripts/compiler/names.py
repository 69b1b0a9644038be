"""Ids into Python names, so that no two ids meet and no name means something else.

The sets are written out, not asked of the running Python: the same sources give
the same bytes under every version.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


KEYWORDS: Final = _words(
    "and as assert async await break class continue def del elif else except finally for from "
    "global if import in is lambda nonlocal not or pass raise return try while with yield "
    "match case type _ none true false"
)
DEVICES: Final = frozenset(
    ["con", "prn", "aux", "nul"]
    + [f"{port}{number}" for port in ("com", "lpt") for number in range(10)]
)
BUILTINS: Final = _words(
    "abs aiter all anext any ascii bin bool breakpoint bytearray bytes callable chr classmethod "
    "compile complex copyright credits delattr dict dir divmod enumerate eval exec exit filter "
    "float format frozenset getattr globals hasattr hash help hex id input int isinstance "
    "issubclass iter len license list locals map max memoryview min next object oct open ord pow "
    "print property quit range repr reversed round set setattr slice sorted staticmethod str sum "
    "super tuple type vars zip"
)
CLASS_WORDS: Final = _words(
    "None True False AgentNode AsyncFlow ParallelGroup End Flow Tool Gate Subflow Budget Ellipsis "
    "NotImplemented Exception Warning"
)
LOCAL_WORDS: Final = frozenset({"build", "end", "self"})


def module_name(id: str) -> str:
    """The file stem of an agent's or a flow's module: `ux-expert` gives `ux_expert`."""
    name = id.lower().replace("-", "_")
    return name + "_" if name in KEYWORDS or name in DEVICES else name


def class_name(id: str) -> str:
    """The class of an agent: `ux-expert` gives `UxExpert`, `level-2` gives `Level_2`."""
    parts = id.lower().replace("-", "_").split("_")
    name = "".join(part.capitalize() if part[0].isalpha() else "_" + part for part in parts)
    return name + "_" if name in CLASS_WORDS else name


def variable_name(id: str) -> str:
    """The variable of a step in its flow's `build`: `list` gives `list_`."""
    name = id.lower().replace("-", "_")
    return name + "_" if name in KEYWORDS | BUILTINS | LOCAL_WORDS else name


def group_name(members: Iterable[str], taken: Iterable[str]) -> str:
    """The variable of a group, from the variables of its members: `architect_and_ux`."""
    names = list(members)
    name = "_and_".join(names)
    if len(name) > 40:
        name = f"{names[0]}_and_others"
    return name + "_" if name in set(taken) else name
