"""The small expression of a step's `when`: parsed and checked, never handed to `eval`.

    inputs.depth == "full" and results["my-step"].score >= 3 or story_id in ("S-1", "S-2")

Names are `inputs`, `results`, `story_id`, `true`, `false` and `null`; what is not there is null.
Values that have no order between them are neither smaller nor larger than each other.
"""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

MAX_LENGTH: Final = 1000  # characters
MAX_DEPTH: Final = 30

NAMES: Final = ("inputs", "results", "story_id", "true", "false", "null")
_CONSTANTS: Final[Mapping[str, Any]] = {"true": True, "false": False, "null": None}
_COMPARE: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, group: item in group,
    ast.NotIn: lambda item, group: item not in group,
}


class ConditionFault(Exception):
    """What is wrong, and at which column of the text, from 1."""

    def __init__(self, message: str, column: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.column = column


@dataclass(frozen=True, slots=True)
class Condition:
    """A checked expression; `text` is what the author wrote."""

    text: str
    tree: ast.expr

    def holds(self, inputs: Mapping[str, Any], results: Mapping[str, Any], story_id: str) -> bool:
        """Whether it is true of a run."""
        names = {"inputs": inputs, "results": results, "story_id": story_id, **_CONSTANTS}
        return bool(_value(self.tree, names))

    def steps(self) -> frozenset[str]:
        """The steps whose results it looks at."""
        found = set()
        for node in ast.walk(self.tree):
            if isinstance(node, (ast.Attribute, ast.Subscript)) and _is_results(node.value):
                found.add(_key(node))
        return frozenset(found)


@lru_cache(maxsize=1024)
def parse(text: str) -> Condition:
    """The condition that a text says. Raises ConditionFault."""
    if len(text) > MAX_LENGTH:
        raise ConditionFault(f"a condition is at most {MAX_LENGTH} characters long")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Python thinks of "\\d" is no matter here
            tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        column = error.offset if isinstance(error, SyntaxError) and error.offset else 1
        raise ConditionFault("this is not a condition", column) from None
    _check(tree, 0)
    return Condition(text, tree)


def _check(node: ast.expr, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ConditionFault(f"a condition is at most {MAX_DEPTH} levels deep", _column(node))
    for part in _parts(node):
        _check(part, depth + 1)


def _parts(node: ast.expr) -> list[ast.expr]:  # noqa: C901, PLR0911 - a table of the language
    """What a permitted node is made of. Raises ConditionFault for any other."""
    match node:
        case ast.BoolOp(values=values):
            return values
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return [operand]
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float())):
            return []
        case ast.Compare(left=left, ops=ops, comparators=rest) if all(
            type(op) in _COMPARE for op in ops
        ):
            return [left, *rest]
        case ast.Attribute(value=value):
            return [value]
        case ast.Subscript(value=value, slice=ast.Constant(value=str() | int())):
            return [value]
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return items
        case ast.Constant(value=value) if type(value) in (str, int, float):
            return []
        case ast.Name(id=name) if name in NAMES:
            return []
        case ast.Name(id=name):
            raise ConditionFault(f'"{name}" is not known here', _column(node))
    raise ConditionFault("this cannot stand in a condition", _column(node))


def _column(node: ast.expr) -> int:
    return node.col_offset + 1


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:  # noqa: PLR0911 - as above
    match node:
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_value(value, names) for value in values)
        case ast.BoolOp(values=values):
            return any(_value(value, names) for value in values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _value(operand, names)
        case ast.UnaryOp(operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.Compare(left=left, ops=ops, comparators=rest):
            return _compared(_value(left, names), ops, [_value(each, names) for each in rest])
        case ast.Attribute() | ast.Subscript():
            return _item(_value(node.value, names), _key(node))
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return [_value(item, names) for item in items]
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return names[name]
    raise AssertionError(f"unchecked node {node!r}")  # pragma: no cover


def _compared(left: Any, ops: list[ast.cmpop], rest: list[Any]) -> bool:
    for op, right in zip(ops, rest, strict=True):
        try:
            if not _COMPARE[type(op)](left, right):
                return False
        except TypeError:  # no order between them, or nothing to be in
            return isinstance(op, ast.NotIn)
        left = right
    return True


def _key(node: ast.Attribute | ast.Subscript) -> Any:
    if isinstance(node, ast.Attribute):
        return node.attr
    assert isinstance(node.slice, ast.Constant)  # noqa: S101 - `_parts` let nothing else through
    return node.slice.value


def _is_results(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "results"


def _item(value: Any, key: Any) -> Any:
    if isinstance(value, Mapping):
        return value.get(key)
    if isinstance(value, list) and isinstance(key, int) and -len(value) <= key < len(value):
        return value[key]
    return None
