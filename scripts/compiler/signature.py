"""A function's annotated signature, as JSON Schema; read from its syntax, never from its values."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, Final, NamedTuple

Schema = dict[str, Any]

_PLAIN: Final[dict[str, Schema]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "None": {"type": "null"},
    "Any": {},
    "object": {},
}
_ARRAYS: Final = frozenset(
    {"list", "List", "Sequence", "MutableSequence", "Iterable", "Collection"}
)
_OBJECTS: Final = frozenset({"dict", "Dict", "Mapping", "MutableMapping"})
_TUPLES: Final = frozenset({"tuple", "Tuple"})
MAX_DEPTH: Final = 16


class Signature(NamedTuple):
    """`schema` is of an object with the parameters; `unclear` are those that accept any value."""

    schema: Schema
    unclear: tuple[str, ...]
    positional_only: tuple[str, ...]


class Unclear(Exception):
    """An annotation that says nothing about JSON."""


def describe(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Signature:
    """The parameters that can be given by name; `*args` and `**kwargs` are not offered."""
    arguments = function.args
    named = [*arguments.args, *arguments.kwonlyargs]
    padding: list[ast.expr | None] = [None] * (len(arguments.args) - len(arguments.defaults))
    # Defaults of positional-only parameters stand first and are cut off with their owners.
    given = arguments.defaults[-len(arguments.args) :] if arguments.args else []
    defaults = [*padding, *given, *arguments.kw_defaults]
    properties: dict[str, Schema] = {}
    unclear: list[str] = []
    for argument, default in zip(named, defaults, strict=True):
        try:
            schema = _of_argument(argument)
        except Unclear:
            schema = {}
            unclear.append(argument.arg)
        properties[argument.arg] = schema | _default(default)
    required = [a.arg for a, d in zip(named, defaults, strict=True) if d is None]
    schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    schema["additionalProperties"] = False
    positional = tuple(argument.arg for argument in arguments.posonlyargs)
    return Signature(schema, tuple(unclear), positional)


def _of_argument(argument: ast.arg) -> Schema:
    if argument.annotation is None:
        raise Unclear
    return annotation_schema(argument.annotation)


def _default(node: ast.expr | None) -> Schema:
    if node is None:
        return {}
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return {}
    return {"default": value} if _is_json(value) else {}


def _is_json(value: object) -> bool:
    if isinstance(value, list):
        return all(_is_json(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    if isinstance(value, float):
        return value == value and abs(value) != float("inf")
    return value is None or isinstance(value, int) or (isinstance(value, str) and _is_text(value))


def _is_text(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


def annotation_schema(node: ast.expr, depth: int = 0) -> Schema:
    """The schema of an annotation; raises Unclear."""
    if depth > MAX_DEPTH:
        raise Unclear
    if isinstance(node, ast.Constant):
        return _of_constant(node, depth)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _any_of([node.left, node.right], depth)
    if isinstance(node, ast.Subscript):
        return _of_subscript(node, depth)
    name = _name(node)
    if name in _PLAIN:
        return dict(_PLAIN[name])
    if name in _ARRAYS | _TUPLES:
        return {"type": "array"}
    if name in _OBJECTS:
        return {"type": "object"}
    raise Unclear


def _of_constant(node: ast.Constant, depth: int) -> Schema:
    if node.value is None:
        return {"type": "null"}
    if not isinstance(node.value, str):
        raise Unclear
    try:
        inner = ast.parse(node.value, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise Unclear from error
    return annotation_schema(inner, depth + 1)


def _of_subscript(node: ast.Subscript, depth: int) -> Schema:
    name = _name(node.value)
    inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    for names, reader in _READERS:
        if name in names and inner:
            return reader(inner, depth + 1)
    raise Unclear


def _array(inner: list[ast.expr], depth: int) -> Schema:
    return {"type": "array", "items": annotation_schema(inner[0], depth)}


def _tuple(inner: list[ast.expr], depth: int) -> Schema:
    last = inner[-1]
    if len(inner) == 2 and isinstance(last, ast.Constant) and last.value is Ellipsis:
        return _array(inner, depth)
    items = [annotation_schema(item, depth) for item in inner]
    return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}


def _object(inner: list[ast.expr], depth: int) -> Schema:
    if len(inner) != 2 or _name(inner[0]) not in ("str", "Any"):
        raise Unclear
    values = annotation_schema(inner[1], depth)
    return {"type": "object", "additionalProperties": values} if values else {"type": "object"}


def _any_of(inner: list[ast.expr], depth: int) -> Schema:
    options: list[Schema] = []
    for item in inner:
        schema = annotation_schema(item, depth + 1)
        nested = schema.get("anyOf")
        options += nested if isinstance(nested, list) else [schema]
    return {} if {} in options else {"anyOf": options}


def _optional(inner: list[ast.expr], depth: int) -> Schema:
    return _any_of([inner[0], ast.Constant(None)], depth)


def _literal(inner: list[ast.expr], depth: int) -> Schema:
    values = []
    for item in inner:
        if not isinstance(item, ast.Constant) or isinstance(item.value, float):
            raise Unclear
        if not _is_json(item.value):
            raise Unclear
        values.append(item.value)
    return {"enum": values}


def _annotated(inner: list[ast.expr], depth: int) -> Schema:
    schema = annotation_schema(inner[0], depth)
    for note in inner[1:]:
        if isinstance(note, ast.Constant) and isinstance(note.value, str):
            if not _is_text(note.value):
                raise Unclear
            return schema | {"description": note.value}
    return schema


_READERS: Final[tuple[tuple[frozenset[str], Callable[[list[ast.expr], int], Schema]], ...]] = (
    (_ARRAYS, _array),
    (_OBJECTS, _object),
    (_TUPLES, _tuple),
    (frozenset({"Union"}), _any_of),
    (frozenset({"Optional"}), _optional),
    (frozenset({"Literal"}), _literal),
    (frozenset({"Annotated"}), _annotated),
)


def _name(node: ast.expr) -> str:
    """`Any` of `typing.Any`; empty for what is no name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
