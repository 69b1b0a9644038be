"""`customize.toml` and the layers over it, merged as BMAD merges them.

A skill's own file lies below `_bmad/custom/<skill>.toml`, and that below `<skill>.user.toml`.
A plain value replaces, tables merge, lists of tables merge by `code` or `id`, other lists
append; nothing can be taken away.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any, Final

from ..tree import ForeignTree

Table = dict[str, Any]

_PLACE: Final = re.compile(r"\(at line (\d+), column (\d+)\)")
_KEYS: Final = ("code", "id")
MAX_DEPTH: Final = 32


def read(tree: ForeignTree, path: str) -> Table | None:
    """The table in a file; None when it does not parse, which was reported at its line."""
    text = tree.text(path)
    if text is None:
        return None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _PLACE.search(str(error))
        line, column = (int(found[1]), int(found[2])) if found else (text.count("\n") + 1, 1)
        said = _PLACE.sub("", str(error)).strip()
        message = f"TOML does not parse: {said[:1].lower()}{said[1:]}"
        tree.diagnostics.add("BMAD634", tree.at(path, line, column), message, "mend the file")
    except RecursionError:
        message = "TOML does not parse: tables are nested too deeply"
        tree.diagnostics.add("BMAD634", tree.at(path), message, "mend the file")
    return None


def merged(base: Table, over: Table, depth: int = 0) -> Table:
    """`over` laid upon `base`; neither is changed."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(below, dict) and isinstance(value, dict) and depth < MAX_DEPTH:
            result[key] = merged(below, value, depth + 1)
        elif isinstance(below, list) and isinstance(value, list):
            result[key] = _lists(below, value)
        else:
            result[key] = value
    return result


def _lists(below: list[Any], over: list[Any]) -> list[Any]:
    result = list(below)
    for item in over:
        place = _place(result, item)
        if place is None:
            result.append(item)
        else:
            result[place] = merged(result[place], item)
    return result


def _place(items: list[Any], item: Any) -> int | None:
    if not isinstance(item, dict):
        return None
    for key in _KEYS:
        if key in item:
            return next(
                (
                    number
                    for number, known in enumerate(items)
                    if isinstance(known, dict) and known.get(key) == item[key]
                ),
                None,
            )
    return None


def skill_table(tree: ForeignTree, path: str, skill: str) -> tuple[Table | None, list[str]]:
    """The table of a skill whose `customize.toml` is at `path`, and every file that it is from."""
    whole: Table | None = None
    used = []
    for layer in (path, *overrides(tree, skill)):
        if layer in tree.files:
            used.append(layer)
            found = read(tree, layer)
            if found is not None:
                whole = found if whole is None else merged(whole, found)
    return whole, used


def overrides(tree: ForeignTree, skill: str) -> list[str]:
    """The files that lie over a skill's own, the strongest last."""
    found = []
    for name in (f"{skill}.toml", f"{skill}.user.toml"):
        end = f"custom/{name}"
        found += [
            path
            for path in tree.by_name.get(name, ())
            if "bmad" in path and (path == end or path.endswith(f"/{end}"))
        ]
    return found


def line_of(text: str, key: str, value: str = "") -> int:
    """The line on which `key = …` (of that value) stands in TOML text; 1 when it is not found."""
    pattern = rf"^\s*{re.escape(key)}\s*=" + (rf"\s*[\"']{re.escape(value)}[\"']" if value else "")
    found = re.search(pattern, text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 if found else 1


def short(value: Any) -> str | None:
    """A value as part of a sentence, empty for nothing; None for tables and lists of them."""
    if isinstance(value, dict):
        return None
    if isinstance(value, list):
        parts = [short(item) for item in value]
        return None if None in parts else "; ".join(part for part in parts if part)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip()


def plain(value: Any) -> Any:
    """A value in words of YAML: dates and times as text, no lines left empty at an end."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value if isinstance(value, (bool, int, float)) else str(value).strip()


def texts(value: Any) -> list[str]:
    """The texts of a list, or one text by itself."""
    if isinstance(value, str):
        return [value.strip()] if value.strip() else []
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return []
