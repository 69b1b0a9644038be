"""One line of a file that only grows: an ASCII JSON object that ends with its own checksum."""

from __future__ import annotations

import json
import re
import zlib
from json.encoder import encode_basestring_ascii
from typing import Any, Final, NamedTuple

from ..errors import InvalidName, StoreError
from .jsonstring import SHORT, json_string
from .protocol import CATEGORIES, Entry

MAX_VALUE: Final = 1_000_000  # bytes of a value as ASCII JSON
MAX_LINE: Final = MAX_VALUE + 1_000
MAX_DEPTH: Final = 100  # far from where a reader with less stack left would give up

_CRC_LENGTH: Final = len(',"crc":"00000000"}')
_HEAD: Final = '{"key":"'
_VALUE: Final = '","value":'
_SCOPE: Final = ',"scope":"'
_TAIL: Final = re.compile(
    r',"scope":"([^"\\]*)","timestamp":"([^"\\]*)","op":"(set|delete)"'
    r'(?:,"category":"([a-z_]*)")?,"seq":([1-9][0-9]{0,17}),"crc":"[0-9a-f]{8}"\}'
)
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(?:\.[0-9]{1,9})?Z", re.ASCII)
_ENCODER: Final = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_DECODER: Final = json.JSONDecoder()


class BadLine(Exception):
    """The line is not a record as it was written."""


class Head(NamedTuple):
    """Whose write a line is."""

    key: str
    scope: str
    op: str
    seq: int


def encode_value(value: Any) -> str:
    """`value` as ASCII JSON. Raises InvalidName when it is no JSON, StoreError (413) over 1 MB."""
    if type(value) is str:
        text = json_string(value) if len(value) > SHORT else encode_basestring_ascii(value)
        is_plain = value.isascii()
    else:
        text, is_plain = _json(value), False
        if _may_be_deep(text) and not _is_shallow(value):
            raise InvalidName("value", f"should be nested at most {MAX_DEPTH} deep")
    if not is_plain and "\\ud" in text:  # a pair is an emoji, a single surrogate is no character
        _check_unicode(value)
    if len(text) > MAX_VALUE:
        raise StoreError("the value is larger than 1 MB as JSON", store="memory", status=413)
    return text


def _may_be_deep(text: str) -> bool:
    return len(text) > 2 * MAX_DEPTH and text.count("[") + text.count("{") > MAX_DEPTH


def _json(value: Any) -> str:
    try:
        return _ENCODER.encode(value)
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidName("value", "should be JSON: finite numbers, valid text") from error


def _check_unicode(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InvalidName("value", "should be JSON: finite numbers, valid text") from error


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
    return _sealed(text[:-1].encode("ascii"))


def _sealed(body: bytes) -> bytes:
    return b'%b,"crc":"%08x"}\n' % (body, zlib.crc32(b"}", zlib.crc32(body)))


def is_sealed(line: bytes) -> bool:
    """Whether a line without its LF ends with the checksum of what stands before it."""
    crc = zlib.crc32(b"}", zlib.crc32(line[:-_CRC_LENGTH]))
    return line[-_CRC_LENGTH:] == b',"crc":"%08x"}' % crc


def unseal(line: bytes) -> Any:
    """The JSON of a sealed line without its LF. Raises BadLine."""
    if not is_sealed(line):
        raise BadLine("the checksum does not fit")
    try:
        return json.loads(line[:-_CRC_LENGTH] + b"}")
    except (ValueError, RecursionError) as error:
        raise BadLine("it is not JSON") from error


def is_time(text: str) -> bool:
    """Whether it has the form of RFC 3339 in UTC."""
    return _TIME.fullmatch(text) is not None


def check_entry(entry: Entry, scope: str) -> None:
    """What came from outside is a write of `scope`, whose key is checked. Raises InvalidName."""
    if entry.scope != scope or entry.op not in ("set", "delete"):
        raise InvalidName("entries", "should be writes of this scope, op set or delete")
    if type(entry.seq) is not int or not 1 <= entry.seq < 10**18:
        raise InvalidName("seq", "should be a whole number from 1")
    if not is_time(entry.timestamp):
        raise InvalidName("timestamp", "should be RFC 3339 in UTC, as 2026-01-02T03:04:05.678Z")
    if entry.category is not None and entry.category not in CATEGORIES:
        raise InvalidName("category", f"should be one of {', '.join(CATEGORIES)}")


def encode(entry: Entry, value: str) -> bytes:
    """The line of `entry`, whose value was encoded before; its names are checked ones."""
    key, _, scope, timestamp, seq, op, category = entry
    about = "" if category is None else f'"category":"{category}",'
    body = (
        f'{{"key":"{key}","value":{value},"scope":"{scope}",'
        f'"timestamp":"{timestamp}","op":"{op}",{about}"seq":{seq}'
    )
    return _sealed(body.encode("ascii"))


def glance(line: bytes) -> Head:
    """Whose write a line without its LF is; its value is not looked at. Raises BadLine."""
    text, end, tail = _taken_apart(line)
    scope, _, op, _, seq = tail.groups()
    return Head(text[len(_HEAD) : end], scope, op, int(seq))


def decode(line: bytes) -> Entry:
    """The entry of a line without its LF. Raises BadLine."""
    text, end, tail = _taken_apart(line)
    scope, timestamp, op, category, seq = tail.groups()
    if category is not None and category not in CATEGORIES:
        raise BadLine("its category is none of ours")
    value = _value(text[end + len(_VALUE) : tail.start()])
    return Entry(text[len(_HEAD) : end], value, scope, timestamp, int(seq), op, category)


def _taken_apart(line: bytes) -> tuple[str, int, re.Match[str]]:
    """The line, where its key ends, and what stands behind its value. Raises BadLine.

    What the checksum vouches for was written by `encode`, so the fields stand where it puts them.
    """
    if not is_sealed(line):
        raise BadLine("the checksum does not fit")
    try:
        text = line.decode("ascii")
    except UnicodeDecodeError as error:
        raise BadLine("it is not ASCII") from error
    end = text.find('"', len(_HEAD))
    tail = _TAIL.fullmatch(text, max(text.rfind(_SCOPE), 0))
    if tail is None or not text.startswith(_HEAD) or not text.startswith(_VALUE, max(end, 0)):
        raise BadLine("its fields are not those of a record")
    return text, end, tail


def _value(text: str) -> Any:
    """The JSON that stands between two fields, and nothing else. Raises BadLine."""
    try:
        value, end = _DECODER.raw_decode(text)
    except (ValueError, RecursionError) as error:
        raise BadLine("it is not JSON") from error
    if end != len(text):
        raise BadLine("its fields are not those of a record")
    return value
