"""The files of a v6 project under native names, with the names in their texts made to fit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ....runtime.yamltext import read
from ...diagnostics import several
from ..assets import is_path
from ..draft import Draft, DraftFile, Origin
from ..placeholders import Placeholders
from ..tree import ForeignTree
from .fields import keys_of, text_of
from .markdown import tell_dropped, without
from .paths import Paths, folder_of
from .persona import slug

# A file's name is found by its end first: most words of a text are none.
_END: Final = re.compile(r"\.(?:md|ya?ml|xml|csv|toml|json|txt)\b")
_BEFORE: Final = re.compile(r"(?:\{[\w-]+\}/|\.{1,2}/)?[\w.-]*[\w-](?:/[\w.-]+)*\Z")
_WORD: Final = re.compile(r"[\w./{}-]+")  # of a text turned round: it ends where it began
_LONGEST: Final = 240
_MATTER: Final = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*\n+", re.DOTALL | re.MULTILINE)
_TEMPLATE: Final = re.compile(r"(?:^|[-_/])(?:template|tmpl)", re.IGNORECASE)
_DOTS: Final = re.compile(r"(?<![\w./])(?:\./){2,}")
_ABOUT: Final = ("name", "description")
MAX_BYTES: Final = 1 << 20


class Emitter:
    """Gives files native names, and writes them once all names are known."""

    def __init__(self, tree: ForeignTree, draft: Draft, paths: Paths) -> None:
        self.tree = tree
        self.draft = draft
        self.paths = paths
        self.native: dict[str, str] = {}  # by foreign path: `tasks/create-prd/workflow.md`
        self._given: set[str] = set()
        self.values: dict[str, Placeholders] = {}
        self.homes: dict[str, str] = {}  # by foreign path: the folder of the workflow it belongs to
        self.made: dict[str, tuple[Origin, str, Placeholders]] = {}  # by native name
        self.left: dict[str, Origin] = {}
        self.count = 0
        self.dropped = 0
        self.entries: set[str] = set()  # files with sections for a conversation

    def name(self, path: str, home: str, folder: str, kind: str, values: Placeholders) -> str:
        """The native name of a file; the first that asks gives it. Empty for one that cannot be."""
        if path in self.native:
            return self.native[path]
        inside = path[len(folder) + 1 :] if folder and path.startswith(f"{folder}/") else path
        inside = inside.rpartition("/")[2] if inside == path and "/" in path else inside
        inside = "/".join(_part(part) for part in inside.split("/"))
        native = f"{kind}/{home}/{inside}"
        number = 2
        while native in self._given:
            native, number = f"{kind}/{home}/{number}-{inside}", number + 1
        if not is_path(native) or not self._usable(path):
            self.draft.account(Origin(path), "file", path, "left", "it cannot be copied")
            return ""
        self.native[path] = native
        self._given.add(native)
        self.values[path] = values
        self.homes[path] = folder
        return native

    def _usable(self, path: str) -> bool:
        return len(self.tree.files[path]) <= MAX_BYTES and self.tree.text(path) is not None

    def write(self) -> None:
        """All named files into the draft, with placeholders and names of files filled in."""
        for native, (at, text, values) in self.made.items():
            filled = self.fill(at.path, text, values)
            self.draft.files[native] = DraftFile(filled.encode(), at)
        for path, native in self.native.items():
            text, values = self.tree.text(path) or "", self.values[path]
            skipped = 0
            if native.startswith("tasks/") and (matter := _MATTER.match(text)):
                skipped = matter[0].count("\n")
                text = text[matter.end() :]
                values = values.with_values(own_values(matter[1]))
            if path in self.entries:
                text, dropped = without(text)
                text = f"{text}\n"
                self.dropped += tell_dropped(self.draft, path, 1 + skipped, dropped)
            text = self.fill(path, text, values)
            self.draft.files[native] = DraftFile(text.encode(), Origin(path, 1 + skipped))
            self.draft.taken.setdefault(path, f"{path} belongs to {native.split('/')[1]}")

    def fill(self, path: str, text: str, values: Placeholders) -> str:
        """A text with what is declared filled in, and with files under their native names."""
        text = self.renamed(text, path)
        resolved = values.resolve(text)
        for left in resolved.left:
            self.count += 1
            self.left.setdefault(left.name, Origin(path, left.line))
        if resolved.text is text:
            return text
        return _DOTS.sub("./", self.renamed(resolved.text, path))

    def renamed(self, text: str, path: str) -> str:
        """Names of files that have a native one, as `read_asset` takes them."""
        parts: list[str] = []
        end = 0
        for start, stop in references(text):
            found = self._meant(text[start:stop], path)
            native = self.native.get(found) if found else None
            if native is not None and start >= end:
                parts += (text[end:start], native)
                end = stop
        return "".join((*parts, text[end:])) if parts else text

    def mentioned(self, path: str, kind: str) -> list[str]:
        """The native files of one kind that a text names."""
        text = self.tree.text(path) or ""
        found = (self._meant(text[start:stop], path) for start, stop in references(text))
        natives = (self.native.get(each, "") for each in found if each)
        return list(dict.fromkeys(each for each in natives if each.startswith(f"{kind}/")))

    def _meant(self, reference: str, path: str) -> str | None:
        return self.paths.mentioned(reference, path, self.homes.get(path, folder_of(path)))

    def tell_left(self) -> None:
        """One note on the placeholders that stay."""
        if not self.left:
            return
        names = sorted(self.left)
        first = min(self.left.values())
        shown = several(["{" + name + "}" for name in names])
        message = f"{self.count:,} placeholders are left for the model: {shown}"
        hint = "give the settings a value in the module's config.yaml to have them filled in"
        self.tree.diagnostics.add("BMAD640", self.tree.at(*first), message, hint)
        for name in names:
            why = "it stays for the model to fill in"
            self.draft.account(self.left[name], "placeholder", name, "carried", why)


def references(text: str) -> Iterator[tuple[int, int]]:
    """Where names of files stand in a text: begin and end of each."""
    for found in _END.finditer(text):
        before = text[max(0, found.start() - _LONGEST) : found.start()]
        word = _WORD.match(before[::-1])
        if word is None:
            continue
        name = _BEFORE.search(text, found.start() - word.end(), found.start())
        if name is not None:
            yield name.start(), found.end()


def own_values(matter: str) -> dict[str, str]:
    """What a text's own front-matter gives its names in braces; nothing when it does not parse.

    Where it should have parsed, whoever read it for a workflow has said so.
    """
    root, faults = read(matter)
    if faults:
        return {}
    found = {key: text_of(value) for key, value in keys_of(root).items()}
    return {key: text for key, text in found.items() if text and key not in _ABOUT}


def _part(part: str) -> str:
    """One part of a path without what a native name may not hold."""
    return part.lstrip(".").replace(":", "-") or "file"


def kind_of(path: str, entry: str) -> str:
    """The folder of native sources that a workflow's file belongs in."""
    name = path.rpartition("/")[2].lower()
    if path == entry or "/steps" in path or "instructions" in name or "/tasks/" in path:
        return "tasks"
    if "checklist" in name:
        return "checklists"
    if _TEMPLATE.search(path.lower()):
        return "templates"
    return "data"


def home_of(text: str) -> str:
    """A folder's name for files that belong to no workflow."""
    return slug(text) or "project"
