"""The settings that texts name in braces: what the project says, else a module's default."""

from __future__ import annotations

from typing import Final

from ....runtime.yamltext import Mapping, Scalar
from .. import lenient
from ..draft import Draft
from ..placeholders import Placeholders
from ..tree import ForeignTree
from .fields import items_of, keys_of, origin, scalars, text_of
from .paths import folder_of

# What an installer would put in, where the project does not say otherwise.
DEFAULTS: Final = {
    "project-root": ".",
    "project_root": ".",
    "root": ".",
    "bmad_folder": "_bmad",
    "output_folder": "_bmad-output",
    "skill-root": ".",
    "value": "{value}",
}
_ABOUT: Final = frozenset(
    {"code", "name", "header", "subheader", "description", "default_selected", "agents"}
)


class Settings:
    """The settings of a tree, by module. `modules` are the codes by folder, the deepest wins."""

    def __init__(self, tree: ForeignTree, draft: Draft) -> None:
        self.tree = tree
        self.draft = draft
        self.modules: dict[str, str] = {}
        self.titles: dict[str, str] = {}
        self.values: dict[str, str] = {}
        self.answers: dict[str, str] = {}
        self.roster: dict[str, dict[str, str]] = {}
        for path in sorted(tree.files):
            name = path.rpartition("/")[2]
            if name == "module.yaml":
                self._module(path)
            elif name in ("config.yaml", "config.user.yaml") and "bmad" in path.lower():
                self._config(path)
        values = {**DEFAULTS, **self.values, **self.answers}
        self.placeholders = Placeholders(values)

    def module_of(self, path: str) -> str:
        """The code of the module that a file belongs to, empty for none."""
        folder = folder_of(path)
        while folder:
            if folder in self.modules:
                return self.modules[folder]
            folder = folder_of(folder)
        parts = path.split("/")[:-1]
        for mark in ("modules", "_bmad", ".bmad", "bmad", "src"):
            if mark in parts[:-1]:
                following = parts[parts.index(mark) + 1]
                if following not in ("agents", "workflows", "modules", "src", "skills"):
                    return following.removesuffix("-skills")
        return ""

    def _read(self, path: str) -> Mapping | None:
        text = self.tree.text(path)
        return None if text is None else lenient.mapping(self.tree, path, text)

    def _module(self, path: str) -> None:
        root = self._read(path)
        keys = keys_of(root)
        if root is None or not text_of(keys.get("code")):
            return
        code = text_of(keys["code"])
        self.modules[folder_of(path)] = code
        self.titles[code] = text_of(keys.get("name"))
        self.draft.taken[path] = f"{path} has code: {code}, as a module does"
        why = "whose its files are, and what the flow of its table is called"
        self.draft.account(origin(path, keys["code"]), "module", code, "carried", why)
        for key, value in root.entries:
            inner = keys_of(value)
            if key.text in _ABOUT or not ("prompt" in inner or "default" in inner):
                self._about(path, key)
                continue
            default = text_of(inner.get("default"))
            result = text_of(inner.get("result")) or "{value}"
            self.values.setdefault(key.text, result.replace("{value}", default))
            why = f"nobody is asked: it is {default!r}, as the module has it"
            self.draft.account(origin(path, key), "setting", key.text, "approximated", why)
        for item in items_of(keys.get("agents")):
            about = {name: text_of(value) for name, value in keys_of(item).items()}
            if about.get("code"):
                self.roster[about["code"]] = about

    def _about(self, path: str, key: Scalar) -> None:
        """What a module says of itself."""
        if key.text == "code":
            return  # the module's own account
        if key.text == "agents":
            why = "agents are what their own files say; titles are taken from here where they lack"
            self.draft.account(origin(path, key), "module key", key.text, "approximated", why)
        elif key.text == "name":
            self.draft.account(origin(path, key), "module key", key.text, "carried", "its title")
        else:
            why = "it is for an installer and who chooses modules there"
            self.draft.account(origin(path, key), "module key", key.text, "left", why)

    def _config(self, path: str) -> None:
        root = self._read(path)
        if root is None or not any(isinstance(value, Scalar) for _, value in root.entries):
            return
        self.draft.taken[path] = f"{path} holds settings"
        self.modules.setdefault(folder_of(path), path.split("/")[-2] if "/" in path else "")
        for key, value, at in scalars(root, path):
            self.answers[key] = value
            why = f"it stands where a text says {{{key}}}"
            self.draft.account(at, "setting", key, "carried", why)
