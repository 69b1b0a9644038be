"""Sources in any form as native ones in memory, which one and the same path compiles."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from . import sources
from .diagnostics import Diagnostic, Diagnostics
from .dialects import detect, registry, writing
from .dialects.draft import Draft
from .dialects.tree import ForeignTree, is_utf_16
from .dialects.writing import SourceMap, Written
from .fresh import MIXED
from .model import Project
from .referred import Take
from .sources import SourceFault

NATIVE: Final = ""
_ASSETS: Final = ("tasks/", "templates/", "checklists/", "data/", "tools/")
_BEGIN: Final = frozenset(
    {"SKILL.md", "agents.yaml", "module-help.csv", "bmad-help.csv", "agent-manifest.csv"}
    | {f"workflow.{suffix}" for suffix in ("md", "xml", "yaml", "yml")}
)


@dataclass(slots=True)
class Sources:
    """Native files in memory, by name, and what is known of where they come from.

    `scanned` is what was read from the disk, for the manifest; `dialect` names the forms that
    it is in, and is empty when all of it is native. `take` gives a file that an agent names.
    `reasons` say in words why files were taken for what they are.
    """

    files: list[tuple[str, bytes]]
    faults: list[SourceFault]
    take: Take
    scanned: list[tuple[str, bytes]]
    dialect: str = NATIVE
    origins: SourceMap = field(default_factory=SourceMap)
    translated: frozenset[str] = frozenset()
    reasons: list[str] = field(default_factory=list)
    draft: Draft | None = None

    @property
    def is_foreign(self) -> bool:
        """Whether the tree as a whole is in another form."""
        return self.dialect != NATIVE and not self.dialect.startswith(MIXED)


def native(src: Path, scanned: sources.Scanned, reason: str = "") -> Sources:
    """Sources in the native form."""
    files, faults = scanned
    reasons = [f"native: {reason}"] if reason else []
    return Sources(files, faults, partial(sources.take, src), files, reasons=reasons)


def understand(src: Path, shown: str, diagnostics: Diagnostics) -> Sources:
    """The sources in `src`, whatever they are written in. Raises OSError as `scan` does.

    A tree is native as a whole (but for single files in another form) when its agents or flows
    say so; else the readers are asked; else it is native, and found to hold nothing.
    """
    scanned = sources.scan(src)
    reason = detect.native_reason(scanned[0])
    if reason and not detect.has_foreign(scanned[0]):
        return native(src, scanned, reason)
    files, faults = sources.scan_foreign(src)
    seen = {path: data for path, data in files if not (reason and _is_asset(path))}
    draft = _read(seen, src, shown, diagnostics)
    if draft is None:
        return native(src, scanned, reason)
    written = writing.write(draft)
    reasons = [f"{draft.dialect}: {why}" for why in draft.taken.values()]
    found = Sources(
        files=_compiled(written),
        faults=faults,
        take=partial(_take, written),
        scanned=files,
        dialect=draft.dialect,
        origins=written.origins,
        translated=frozenset(written.files),
        reasons=reasons,
        draft=draft,
    )
    return _mixed(src, scanned, found, reason) if reason else found


def _is_asset(path: str) -> bool:
    """Whether a file of a native tree is one that agents read, though it looks like a beginning:
    an import leaves workflows and skills of other forms there."""
    parts = path.split("/")
    looks = parts[-1] in _BEGIN or "agents" in parts[1:-1] or ".agent." in parts[-1]
    return path.startswith(_ASSETS) and looks


def _read(files: dict[str, bytes], src: Path, shown: str, diagnostics: Diagnostics) -> Draft | None:
    """What all readers that recognise the tree make of it; None when none does."""
    whole: Draft | None = None
    name = src.resolve().name
    for reader in registry.READERS:
        tree = ForeignTree(files, shown, name, diagnostics)
        if not reader.recognises(tree):
            continue
        draft = reader.read(tree, diagnostics)
        files = {path: data for path, data in files.items() if path not in draft.taken}
        whole = draft if whole is None else registry.joined(whole, draft, tree, diagnostics)
    _tell_unread(ForeignTree(files, shown, name, diagnostics))
    return whole


def _tell_unread(tree: ForeignTree) -> None:
    """Report files that stand where agents stand and that no reader could recognise as text."""
    for path, data in tree.files.items():
        if "agents" in path.split("/")[:-1] and is_utf_16(data):
            tree.text(path)


def _compiled(written: Written) -> list[tuple[str, bytes]]:
    """What a scan of the written files would find; assets are taken one by one."""
    return sorted(
        (path, data)
        for path, data in written.files.items()
        if path.startswith(("agents/", "workflows/")) or path in ("workflow.yaml", "tools.yaml")
    )


def _take(written: Written, path: str) -> bytes | SourceFault:
    data = written.files.get(path)
    return SourceFault(path, "missing", f'there is no file "{path}"') if data is None else data


def _mixed(src: Path, scanned: sources.Scanned, found: Sources, reason: str) -> Sources:
    """A native tree in which some files are in another form."""
    assert found.draft is not None  # noqa: S101 - the caller has one
    files, faults = scanned
    taken = found.draft.taken
    own = {path for path, _ in files if path not in taken}
    clashing = {path for path, _ in found.files if path in own}
    kept = [(path, data) for path, data in files if path not in taken]
    kept += [(path, data) for path, data in found.files if path not in clashing]
    everything = dict(found.scanned) | dict(files)
    return replace(
        found,
        files=sorted(kept),
        faults=faults,
        take=lambda path: (
            data if isinstance(data := found.take(path), bytes) else sources.take(src, path)
        ),
        scanned=sorted(everything.items()),
        dialect=f"{MIXED}{found.dialect}",
        reasons=[f"native: {reason}", *found.reasons],
    )


def at_home(found: Diagnostic, prefix: str, origins: SourceMap) -> Diagnostic:
    """The finding at the place in the foreign tree that its native line was made from.

    `prefix` is the shown folder and a slash.
    """
    if not found.path.startswith(prefix):
        return found
    origin = origins.origin(found.path[len(prefix) :], found.line, found.column)
    if origin is None:
        return found
    return replace(found, path=prefix + origin.path, line=origin.line, column=origin.column)


def homed(project: Project, origins: SourceMap) -> Project:
    """The project with the paths of its foreign files, as headers show them."""

    def home(path: str) -> str:
        name = origins.file(path.removeprefix(f"{project.root}/"))
        return path if name is None else f"{project.root}/{name}"

    return replace(
        project,
        agents=tuple(replace(agent, path=home(agent.path)) for agent in project.agents),
        flows=tuple(
            replace(flow, path=home(flow.path)) if flow.path else flow for flow in project.flows
        ),
    )
