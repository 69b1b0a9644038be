"""What an agent says of files beside it: assets, and the schema of its answer."""

from __future__ import annotations

from typing import Any, Final

from ...runtime.yamltext import Mapping, Node, Sequence, to_data
from .. import schema
from ..diagnostics import Position, quoted
from ..model import ASSET_KINDS, Asset
from .fields import Fields

MAX_NAME: Final = 200
# The keys that bind a file to a command or a step, with the folders of their files.
BOUND: Final = {
    "task": "tasks",
    "template": "templates",
    "checklist": "checklists",
    "data": "data",
}
SCHEMA_FOLDER: Final = "data"
SCHEMA_SUFFIXES: Final = (".json", ".yaml")
_NAME_HINT: Final = "write a path below the folder, with / between its parts, none with a dot first"


def read_assets(fields: Fields) -> dict[Asset, Node]:
    """The assets by kind, then in file order, each with its place; paths as in `tasks/x.md`."""
    found: dict[str, tuple[Asset, Node]] = {}
    for kind in ASSET_KINDS:
        for item in fields.items(kind):
            asset = _read_asset(fields, kind, item)
            if asset is not None and asset.path in found:
                name = quoted(asset.path.removeprefix(f"{kind}/"))
                fields.add("BMAD110", item, f"{name} stands twice in {quoted(kind)}", "keep one")
            elif asset is not None:
                found[asset.path] = (asset, item)
    return dict(found.values())


def read_bound(fields: Fields) -> dict[str, Node]:
    """The files that go with a command or a step, by path (`tasks/x.md`), each with its place."""
    found: dict[str, Node] = {}
    for key, kind in BOUND.items():
        node = fields.values.get(key)
        if node is None:
            continue
        for item in node.items if isinstance(node, Sequence) else (node,):
            name = fields.text_of(key, item, "write the name of a file, or a list of names")
            if name is None:
                continue
            if is_path(name):
                found.setdefault(f"{kind}/{name}", item)
            else:
                fields.add(
                    "BMAD110", item, f"{quoted(key)} names no file: {quoted(name)}", _NAME_HINT
                )
    return found


def read_template(fields: Fields) -> str | None:
    """The path of the template of the document that an agent creates."""
    name = fields.text("template")
    if name is None:
        return None
    if not is_path(name):
        node = fields.values["template"]
        fields.add("BMAD110", node, f'"template" names no file: {quoted(name)}', _NAME_HINT)
        return None
    return f"{BOUND['template']}/{name}"


def _read_asset(fields: Fields, kind: str, item: Node) -> Asset | None:
    inline: bool | None = False
    if isinstance(item, Mapping):
        own = Fields(item, fields.path, fields.diagnostics)
        own.check_keys(("file", "inline"), (), f"in an item of {quoted(kind)}")
        name, inline = own.text("file"), own.boolean("inline")
        if "file" not in own.values:
            own.add(
                "BMAD109", item, f'an item of {quoted(kind)} has no "file"', "write file: <name>"
            )
    else:
        name = fields.text_of(kind, item)
    if name is None:
        return None
    if not is_path(name):
        fields.add("BMAD110", item, f"{quoted(kind)} names no file: {quoted(name)}", _NAME_HINT)
        return None
    return Asset(f"{kind}/{name}", inline or False)


def is_path(name: str) -> bool:
    """Whether `name` stays inside its folder, and may be copied under that name."""
    parts = name.split("/")
    return (
        0 < len(name) <= MAX_NAME
        and name.isprintable()
        and "\\" not in name
        and ":" not in name
        and not name.endswith((" ", ".", ".pyc"))
        and all(part and not part.startswith(".") and part != "__pycache__" for part in parts)
    )


def read_output(fields: Fields) -> tuple[dict[str, Any] | None, str | None]:
    """The schema that stands there, or the path of its file below the source folder."""
    node = fields.values.get("output")
    if node is None:
        return None, None
    if isinstance(node, Mapping):
        return checked(node, fields), None
    name = fields.text_of("output", node, "write a JSON Schema, or the name of its file")
    if name is None:
        return None, None
    path = name if "/" in name else f"{SCHEMA_FOLDER}/{name}"
    if not is_path(name) or not name.endswith(SCHEMA_SUFFIXES):
        hint = "write a JSON Schema, or the name of a .json or .yaml file"
        fields.add("BMAD110", node, f'"output" names no schema: {quoted(name)}', hint)
        return None, None
    return None, path


def checked(node: Mapping, fields: Fields) -> dict[str, Any] | None:
    """The schema that a mapping is; None when it was refused, each fault told at its place."""
    data: dict[str, Any] = to_data(node)
    found = schema.faults(data)
    for fault in found:
        at = place_of(node, fault.path)
        fields.diagnostics.add("BMAD118", Position(fields.path, *at), fault.message, fault.hint)
    return None if found else data


def place_of(node: Node, path: tuple[str | int, ...]) -> tuple[int, int]:
    """Line and column of what stands under these keys, as deep as they lead."""
    for key in path:
        inner: Node | None = None
        if isinstance(node, Mapping):
            inner = next((value for name, value in node.entries if name.text == key), None)
        elif isinstance(node, Sequence) and isinstance(key, int) and key < len(node.items):
            inner = node.items[key]
        if inner is None:
            break
        node = inner
    return node.line, node.column
