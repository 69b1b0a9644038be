"""An entry as it stands in Redis: one JSON object that begins with its number."""

from __future__ import annotations

import json
from typing import Final

from .protocol import CATEGORIES, Entry
from .record import BadLine

_FIELDS: Final = frozenset({"key", "value", "scope", "timestamp", "op", "seq"})


def body(entry: Entry, value: str) -> str:
    """What follows the number; `value` was encoded before, the names are checked ones."""
    category = "" if entry.category is None else f',"category":"{entry.category}"'
    return (
        f',"key":"{entry.key}","value":{value},"scope":"{entry.scope}",'
        f'"timestamp":{json.dumps(entry.timestamp)},"op":"{entry.op}"{category}}}'
    )


def whole(entry: Entry, value: str) -> str:
    """The object with its number."""
    return f'{{"seq":{entry.seq}{body(entry, value)}'


def parse(data: bytes, scope: str) -> Entry:
    """The entry of `scope` that `data` holds. Raises BadLine."""
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadLine("it is not JSON") from error
    if not isinstance(fields, dict) or fields.keys() - {"category"} != _FIELDS:
        raise BadLine("its fields are not those of an entry")
    texts = (fields["key"], fields["timestamp"])
    if type(fields["seq"]) is not int or not all(isinstance(text, str) for text in texts):
        raise BadLine("its fields are not those of an entry")
    if "category" in fields and fields["category"] not in CATEGORIES:
        raise BadLine("its category is none of ours")
    if fields["scope"] != scope or fields["op"] not in ("set", "delete"):
        raise BadLine("it belongs to another scope")
    return Entry(**fields)
