"""One line of a file that only grows: an ASCII JSON object that ends with its own checksum."""

from __future__ import annotations

import json
import zlib
from typing import Any, Final

from ..errors import InvalidName, StoreError
from .protocol import CATEGORIES, Entry

MAX_VALUE: Final = 1_000_000  # bytes of a value as ASCII JSON
MAX_LINE: Final = MAX_VALUE + 1_000
MAX_DEPTH: Final = 100  # far from where a reader with less stack left would give up

_FIELDS: Final = ("key", "value", "scope", "timestamp", "op", "seq")
_WITH_CATEGORY: Final = ("key", "value", "scope", "timestamp", "op", "category", "seq")
_CRC_LENGTH: Final = len(',"crc":"00000000"}')


class BadLine(Exception):
    """The line is not a record as it was written."""


def encode_value(value: Any) -> str:
    """`value` as ASCII JSON. Raises InvalidName when it is no JSON, StoreError (413) over 1 MB."""
    if not _is_shallow(value):
        raise InvalidName("value", f"should be nested at most {MAX_DEPTH} deep")
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
        if "\\ud" in text:  # a pair is an emoji, a single surrogate is no character
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidName("value", "should be JSON: finite numbers, valid text") from error
    if len(text) > MAX_VALUE:
        raise StoreError("the value is larger than 1 MB as JSON", store="memory", status=413)
    return text


def _is_shallow(value: Any) -> bool:
    layer = [value] if isinstance(value, dict | list | tuple) else []
    for _ in range(MAX_DEPTH):
        if not layer:
            return True
        inner = (item.values() if isinstance(item, dict) else item for item in layer)
        layer = [part for parts in inner for part in parts if isinstance(part, dict | list | tuple)]
    return not layer


def seal(text: str) -> bytes:
    """The line of a JSON object that has fields and is ASCII: its checksum is added, and the LF."""
    crc = zlib.crc32(text.encode("ascii"))
    return f'{text[:-1]},"crc":"{crc:08x}"}}\n'.encode("ascii")


def unseal(line: bytes) -> Any:
    """The JSON of a sealed line without its LF. Raises BadLine."""
    body = line[:-_CRC_LENGTH] + b"}"
    if line[-_CRC_LENGTH:] != b',"crc":"%08x"}' % zlib.crc32(body):
        raise BadLine("the checksum does not fit")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadLine("it is not JSON") from error


def encode(entry: Entry, value: str) -> bytes:
    """The line of `entry`, whose value was encoded before; its names are checked ones."""
    category = "" if entry.category is None else f'"category":"{entry.category}",'
    body = (
        f'{{"key":"{entry.key}","value":{value},"scope":"{entry.scope}",'
        f'"timestamp":"{entry.timestamp}","op":"{entry.op}",{category}"seq":{entry.seq}'
    )
    return seal(f"{body}}}")


def decode(line: bytes) -> Entry:
    """The entry of a line without its LF. Raises BadLine."""
    fields = unseal(line)
    if not isinstance(fields, dict) or type(fields.get("seq")) is not int:
        raise BadLine("its fields are not those of a record")
    if tuple(fields) != _FIELDS and tuple(fields) != _WITH_CATEGORY:
        raise BadLine("its fields are not those of a record")
    if fields["op"] not in ("set", "delete") or not isinstance(fields["key"], str):
        raise BadLine("its fields are not those of a record")
    if "category" in fields and fields["category"] not in CATEGORIES:
        raise BadLine("its category is none of ours")
    return Entry(**fields)
