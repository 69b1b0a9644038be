"""The native dialect's tools: `tools.yaml` and the modules that it names."""

from __future__ import annotations

import re
from collections.abc import Mapping as Files
from typing import Any, Final, NamedTuple

from ...runtime import spec
from ...runtime.yamltext import Mapping, Node, Scalar
from .. import signature, toolmodule
from ..diagnostics import Diagnostics, Position, near_match, quoted
from ..model import Tool
from .fields import Fields, stray_character
from .tuning import MAX_TIMEOUT

KEYS: Final = ("module", "call", "description", "timeout")
ANY_ARGUMENTS: Final[dict[str, Any]] = {"type": "object"}
_LISTED: Final = 4
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


class ToolsFile(NamedTuple):
    """`path` and `folder` (that of `tools/`) for people; `files` are those below the folder."""

    root: str
    path: str
    folder: str
    files: Files[str, bytes]


class _Found(NamedTuple):
    parameters: dict[str, Any]
    description: str
    source: str | None


def read_tools(file: ToolsFile, root: Mapping, diagnostics: Diagnostics) -> list[Tool]:
    """The tools in file order; one whose function is not found is reported and kept."""
    fields = Fields(root, file.path, diagnostics)
    found: list[Tool] = []
    keys: dict[str, str] = {}
    for key, value in root.entries:
        if key.text.startswith("x-"):
            continue
        _check_name(fields, key, keys)
        if isinstance(value, Mapping):
            found.append(_read_tool(file, fields, key, Fields(value, file.path, diagnostics)))
        else:
            fields.wrong_type(
                key.text, value, "a mapping", "write module: and call: below the name"
            )
            found.append(Tool(key.text, "", "", "", ANY_ARGUMENTS, at=fields.place(key)))
    return found


def _check_name(fields: Fields, key: Scalar, seen: dict[str, str]) -> None:
    if _NAME.fullmatch(key.text) is None:
        hint = "use letters, digits, - and _, beginning with a letter or _, at most 64 characters"
        fields.add("BMAD111", key, f"{quoted(key.text)} cannot name a tool", hint)
        return
    same = seen.setdefault(spec.id_key(key.text), key.text)
    if same != key.text:
        message = f"the tools {quoted(same)} and {quoted(key.text)} have one name"
        fields.add("BMAD112", key, message, "rename one of them")


def _read_tool(file: ToolsFile, root: Fields, key: Scalar, fields: Fields) -> Tool:
    fields.check_keys(KEYS, (), "in a tool")
    module, call = _read_module(fields, key), _read_call(fields, key)
    found = _Found(ANY_ARGUMENTS, "", None)
    if module and call:
        found = _look_up(file, fields, module, call)
    description = fields.text("description")
    return Tool(
        name=key.text,
        module=module,
        call=call,
        description=found.description if description is None else description.strip(),
        parameters=found.parameters,
        timeout=fields.number("timeout", 0, MAX_TIMEOUT, above=True),
        source=found.source,
        at=root.place(key),
    )


def _read_module(fields: Fields, key: Node) -> str:
    module = _required(fields, key, "module")
    if not module:
        return ""
    node = fields.values["module"]
    if not toolmodule.is_module_name(module):
        hint = "write it as an import does, such as utils.text"
        fields.add("BMAD110", node, f"{quoted(module)} cannot name a module", hint)
        return ""
    if module.split(".")[0] in toolmodule.DANGEROUS:
        hint = "write a function under tools/ that does just what the agent needs"
        fields.add("BMAD110", node, f"the module {quoted(module)} cannot be a tool", hint)
        return ""
    return module


def _read_call(fields: Fields, key: Node) -> str:
    call = _required(fields, key, "call")
    if call and (not toolmodule.is_name(call) or call.startswith("_")):
        hint = "write the name of a function, one without a leading _"
        fields.add("BMAD110", fields.values["call"], f"{quoted(call)} cannot be called", hint)
        return ""
    return call


def _required(fields: Fields, key: Node, name: str) -> str:
    if name not in fields.values:
        fields.add("BMAD109", key, f'a tool needs "{name}"', f"write {name}: below its name")
    return fields.text(name) or ""


def _look_up(file: ToolsFile, fields: Fields, module: str, call: str) -> _Found:
    found = toolmodule.find(module, file.files)
    nothing = _Found(ANY_ARGUMENTS, "", None)
    if found is None:
        path = module.replace(".", "/")
        message = f"the module {quoted(module)} is neither in {quoted(file.folder)} nor installed"
        hint = _near_module(module, file) or f'write "{file.folder}/{path}.py", or install it'
        fields.add("BMAD401", fields.values["module"], message, hint)
        return nothing
    source = None if found.file is None else f"{file.root}/tools/{found.file}"
    if found.code is None:
        _warn_unclear(fields, f"the source of {quoted(module)} is not at hand")
        return nothing
    try:
        tree = toolmodule.parse(found.code)
    except toolmodule.BrokenModule as error:
        if found.file is None:  # an author's own is reported with its file
            message = f"the module {quoted(module)} does not parse: {error}"
            fields.add("BMAD402", fields.values["module"], message)
        return _Found(ANY_ARGUMENTS, "", source)
    return _describe(fields, tree, module, call)._replace(source=source)


def _near_module(module: str, file: ToolsFile) -> str:
    own = (path.removesuffix("/__init__.py").removesuffix(".py") for path in file.files)
    return near_match(module, (path.replace("/", ".") for path in own))


def _describe(fields: Fields, tree: Any, module: str, call: str) -> _Found:
    function = toolmodule.find_function(tree, call)
    if function is None:
        if call in toolmodule.names(tree):
            _warn_unclear(fields, f"{quoted(call)} is no function that {quoted(module)} defines")
        else:
            message = f"the module {quoted(module)} has no function {quoted(call)}"
            hint = near_match(call, toolmodule.functions(tree))
            fields.add("BMAD401", fields.values["call"], message, hint)
        return _Found(ANY_ARGUMENTS, "", None)
    described = signature.describe(function)
    if described.positional_only:
        message = f"{quoted(call)} takes {_listed(described.positional_only)} by position only"
        hint = "a model gives arguments by name: remove the / from the signature"
        fields.add("BMAD405", fields.values["call"], message, hint)
    if described.unclear:
        what = f"what {quoted(call)} takes as {_listed(described.unclear)} cannot be described"
        _warn_unclear(fields, what)
    description = toolmodule.docstring(function)
    clean = stray_character(description) is None
    return _Found(described.schema, description if clean else "", None)


def _listed(parameters: tuple[str, ...]) -> str:
    shown = ", ".join(quoted(name) for name in parameters[:_LISTED])
    left = len(parameters) - _LISTED
    return f"{shown} and {left} more" if left > 0 else shown


def _warn_unclear(fields: Fields, what: str) -> None:
    hint = "annotate with str, int, float, bool, list, dict, tuple, Literal, | or Any"
    message = f"{what}, so the model may give it any value"
    fields.add("BMAD403", fields.values["call"], message, hint)


def check_files(file: ToolsFile, diagnostics: Diagnostics) -> None:
    """Report what cannot be copied: a registry of the author's, broken or stray modules."""
    for path, code in file.files.items():
        if not path.endswith(".py"):
            continue
        shown = f"{file.folder}/{path}"
        if path == "__init__.py":
            message = 'the name "tools/__init__.py" is taken: the generated registry stands there'
            hint = "move its content into a module of its own"
            diagnostics.add("BMAD406", Position(shown, 1, 1), message, hint)
        try:
            tree = toolmodule.parse(code)
        except toolmodule.BrokenModule as error:
            at = Position(shown, error.line, error.column)
            diagnostics.add("BMAD402", at, f"Python does not parse: {error}")
            continue
        for stray in toolmodule.stray_imports(path, tree, file.files):
            message = f'"{stray.name}" stands under tools/ and cannot be imported absolutely'
            at = Position(shown, stray.line, stray.column)
            diagnostics.add("BMAD406", at, message, f"write {stray.relative}")
