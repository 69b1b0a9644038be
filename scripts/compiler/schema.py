"""Whether a JSON Schema is one, and can be used without asking anybody for another."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from . import cycles
from .diagnostics import near_match, quoted

MAX_SIZE: Final = 100_000  # characters of JSON
MAX_DEPTH: Final = 32
MAX_SHOWN: Final = 10
_TYPES: Final = ("array", "boolean", "integer", "null", "number", "object", "string")
_VALUES: Final = frozenset({"const", "default", "enum", "examples"})  # data, not schemas
_LONGEST: Final = 160
_REFERENCES: Final = ("$ref", "$dynamicRef")
_ADDED: Final = frozenset({"not", "if", "then", "else"})
_LISTED: Final = frozenset({"allOf", "anyOf", "oneOf", "dependentSchemas"})

Path = tuple[str | int, ...]


class SchemaFault(NamedTuple):
    """What is wrong, and under which keys."""

    message: str
    path: Path = ()
    hint: str = ""


def faults(schema: Mapping[str, Any]) -> list[SchemaFault]:
    """Everything that is wrong with a schema; only the first few of many alike."""
    if _is_deeper(schema, MAX_DEPTH):
        return [SchemaFault(f"the schema is nested more than {MAX_DEPTH} deep")]
    size = _size(schema)
    if isinstance(size, SchemaFault):
        return [size]
    if size > MAX_SIZE:
        return [SchemaFault(f"the schema has {size:,} characters; at most {MAX_SIZE:,} are read")]
    found = list(_by_the_metaschema(schema))[:MAX_SHOWN]
    return found or list(_references(schema))[:MAX_SHOWN]


def _is_deeper(schema: Any, depth: int) -> bool:
    inner = schema.values() if isinstance(schema, Mapping) else schema
    if not isinstance(schema, Mapping | list):
        return False
    return depth == 0 or any(_is_deeper(value, depth - 1) for value in inner)


def _size(schema: Mapping[str, Any]) -> int | SchemaFault:
    try:
        text = json.dumps(schema, ensure_ascii=False, allow_nan=False)
        text.encode()
    except UnicodeEncodeError:
        return SchemaFault("the schema holds half of a surrogate pair", hint="remove it")
    except ValueError:
        return SchemaFault("the schema holds a number that JSON does not have", hint="remove it")
    return len(text)


def _by_the_metaschema(schema: Mapping[str, Any]) -> Iterator[SchemaFault]:
    from jsonschema.validators import Draft202012Validator, validator_for

    kind = validator_for(schema, default=Draft202012Validator)
    checker = kind(kind.META_SCHEMA, format_checker=kind.FORMAT_CHECKER)
    for error in sorted(checker.iter_errors(schema), key=lambda error: error.json_path):
        path = tuple(error.absolute_path)
        strange = _strange_type(error.instance) if path[-1:] == ("type",) else None
        if strange is not None:
            hint = near_match(strange, _TYPES) or f"types are {', '.join(_TYPES)}"
            yield SchemaFault(f"{quoted(strange)} is no type of JSON", path, hint)
        else:
            message = error.message
            if len(message) > _LONGEST:
                message = message[: _LONGEST - 1] + "…"
            yield SchemaFault(f"this is no JSON Schema: {message}", path)


def _strange_type(given: Any) -> str | None:
    """The first word of a `type` that is none."""
    words = given if isinstance(given, list) else [given]
    return next((word for word in words if isinstance(word, str) and word not in _TYPES), None)


def _references(schema: Mapping[str, Any]) -> Iterator[SchemaFault]:
    for path, node in _nodes(schema):
        if path and "$id" in node:
            yield SchemaFault('an inner "$id" is not supported', (*path, "$id"), "remove it")
        for key in _REFERENCES:
            target = node.get(key)
            if not isinstance(target, str):
                continue
            if not target.startswith("#"):
                message = f"{quoted(target)} stands elsewhere, and nothing is fetched"
                hint = 'copy it under "$defs" and write "#/$defs/<name>"'
                yield SchemaFault(message, (*path, key), hint)
            elif pointed(schema, target) is None:
                message = f"the schema has nothing at {quoted(target)}"
                yield SchemaFault(message, (*path, key), 'write "#/$defs/<name>"')
    yield from _circles(schema)


def _circles(schema: Mapping[str, Any]) -> Iterator[SchemaFault]:
    """Schemas that are looked at again for the same part of an answer, without end."""
    nodes = list(_nodes(schema))
    number = {path: str(place) for place, (path, _) in enumerate(nodes)}
    place_of = {id(node): str(place) for place, (_, node) in enumerate(nodes)}
    after: dict[str, list[str]] = {name: [] for name in number.values()}
    for path, node in nodes:
        above = _adding(path)
        if above in number:
            after[number[above]].append(number[path])
        for key in _REFERENCES:
            target = pointed(schema, node[key]) if isinstance(node.get(key), str) else None
            if id(target) in place_of:
                after[number[path]].append(place_of[id(target)])
    for circle in cycles.components(after, after):
        inside = [nodes[int(name)] for name in circle]
        path = next((*p, key) for p, node in inside for key in _REFERENCES if key in node)
        yield SchemaFault("this leads back to itself without end", path, "say what it is")


def _adding(path: Path) -> Path | None:
    """Where the schema stands that adds the one at `path` for the same part of an answer."""
    if path[-1:] and path[-1] in _ADDED:
        return path[:-1]
    return path[:-2] if len(path) > 1 and path[-2] in _LISTED else None


def _nodes(schema: Any, path: Path = ()) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Every mapping in a schema that is no value of its author's, with the keys above it."""
    if isinstance(schema, Mapping):
        yield path, schema
        for key, value in schema.items():
            if key not in _VALUES or path[-1:] == ("properties",):
                yield from _nodes(value, (*path, key))
    elif isinstance(schema, list):
        for index, value in enumerate(schema):
            yield from _nodes(value, (*path, index))


def pointed(schema: Any, reference: str) -> Mapping[str, Any] | None:
    """The schema at `#/$defs/story`; None when there is none."""
    if reference not in ("#", "#/") and not reference.startswith("#/"):
        return None
    node = schema
    for part in reference.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, Mapping) and name in node:
            node = node[name]
        elif isinstance(node, list) and name.isdecimal() and int(name) < len(node):
            node = node[int(name)]
        else:
            return None
    return node if isinstance(node, Mapping) else None


def resolved(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """`node`, or what its `$ref` leads to in the end; None where it leads nowhere."""
    seen: set[str] = set()
    found: Mapping[str, Any] | None = node
    while found is not None and isinstance(reference := found.get("$ref"), str):
        if reference in seen:
            return None
        seen.add(reference)
        found = pointed(schema, reference)
    return found


def is_array(schema: Mapping[str, Any], node: Any) -> bool:
    """Whether what fits `node`, a part of `schema`, may be a list."""
    found = resolved(schema, node) if isinstance(node, Mapping) else None
    kinds = found.get("type") if found else None
    return kinds == "array" or (isinstance(kinds, list) and "array" in kinds)
