"""Where a v4 project keeps its parts: the core and each pack is a home, a folder of folders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .. import detect
from ..tree import ForeignTree, is_utf_16

KINDS: Final = ("tasks", "templates", "checklists", "data", "utils", "workflows")
_CORE_NAMES: Final = frozenset({"bmad-core", ".bmad-core"})
_AGENT_SUFFIXES: Final = (".md", ".mdc")
_PACK: Final = re.compile(r"^\.?(?:bmad-)?")
_NO_ID: Final = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Home:
    """`folder` ends with `/`, or is empty; `pack` is empty for the core.

    `is_copy`: it is where an editor keeps its own copies of another home's agents.
    """

    folder: str
    pack: str
    agents: tuple[str, ...]
    is_copy: bool = False


def find(tree: ForeignTree) -> list[Home]:
    """The homes, the core's first, then the packs by name, copies last."""
    found: dict[str, list[str]] = {}
    at_top: list[str] = []
    for path in sorted(tree.files):
        if path.endswith(_AGENT_SUFFIXES) and "agents" in path.split("/")[:-1]:
            if _is_agent(tree, path):
                found.setdefault(_folder(path), []).append(path)
        elif _is_at_top(path) and _is_agent(tree, path):
            at_top.append(path)
    if at_top and not found:
        found[""] = at_top  # beside folders of agents, such a page shows what one looks like
    homes = [_home(folder, agents) for folder, agents in found.items()]
    core = _core(tree, homes)
    homes = [
        Home(home.folder, "" if home is core else home.pack, home.agents, home.is_copy)
        for home in homes
    ]
    return sorted(homes, key=lambda home: (home.is_copy, home.pack != "", home.pack, home.folder))


def _is_at_top(path: str) -> bool:
    """Whether a file may be an agent beside no others; README and its like only show some."""
    return "/" not in path and path.endswith(".md") and not path.removesuffix(".md").isupper()


def _is_agent(tree: ForeignTree, path: str) -> bool:
    data = tree.files[path]
    if b"agent:" not in data or is_utf_16(data):
        return False
    text = data.decode(errors="replace").removeprefix("\ufeff").replace("\r\n", "\n")
    return detect.of_agent(text).kind == "v4"


def _folder(path: str) -> str:
    parts = path.split("/")
    last = len(parts) - 1 - parts[:-1][::-1].index("agents") - 1
    return "".join(f"{part}/" for part in parts[:last])


def _home(folder: str, agents: list[str]) -> Home:
    name = folder.rstrip("/").rpartition("/")[2]
    pack = _NO_ID.sub("-", _PACK.sub("", name)).strip("-").lower()
    return Home(folder, pack or "pack", tuple(agents), _is_editors(folder))


def _is_editors(folder: str) -> bool:
    """Whether a folder is, or lies in, a hidden one that is not BMAD's."""
    return any(part.startswith(".") and not part.startswith(".bmad") for part in folder.split("/"))


def _core(tree: ForeignTree, homes: list[Home]) -> Home | None:
    """The home that is the core: by its settings, by its name, or as the only one."""
    own = [home for home in homes if not home.is_copy]
    with_settings = [h for h in own if f"{h.folder}core-config.yaml" in tree.files]
    named = [h for h in own if h.folder.rstrip("/").rpartition("/")[2] in _CORE_NAMES]
    candidates = (
        named or with_settings or (own if len(own) == 1 else []) or [h for h in own if not h.folder]
    )
    return min(candidates, key=lambda home: home.folder) if candidates else None


def candidates(home: Home, homes: list[Home], kind: str) -> Iterator[str]:
    """The folders in which a file of `kind` that an agent of `home` names may lie."""
    core = next((other for other in homes if not other.pack and not other.is_copy), None)
    for each in (home, core):
        if each is not None:
            yield f"{each.folder}{kind}/"
            yield f"{each.folder.rstrip('/').rpartition('/')[0]}/common/{kind}/".lstrip("/")
    yield f"common/{kind}/"
