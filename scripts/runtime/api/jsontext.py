"""JSON text both ways: strict and bounded in, plain ASCII out."""

from __future__ import annotations

import json
import math
import re
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, Final

__all__ = ["JSONFault", "dump", "dump_text", "parse", "quoted"]

MAX_DEPTH: Final = 64
MAX_NODES: Final = 100_000

_ENCODER: Final = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_OPENING = re.compile(rb"[\[\]{}]")
_LOST = re.compile("[\x00\ud800-\udfff]")


class JSONFault(ValueError):
    """The text cannot be used; the message says why and quotes nothing of it."""


def dump(value: Any) -> bytes:
    """One line of ASCII; a lone surrogate of a model's answer stays an escape."""
    return _ENCODER.encode(value).encode("ascii")


def dump_text(value: Any) -> str:
    """The same as text."""
    return _ENCODER.encode(value)


def parse(body: bytes) -> Any:
    """The value of a JSON text in UTF-8. Raises JSONFault.

    Refused: a byte order mark, other encodings, NaN and infinities, numbers beyond a
    double or of thousands of digits, a key given twice, NUL and lone surrogates, more
    than MAX_DEPTH levels or MAX_NODES values, and anything behind the value.
    """
    _check_shape(body)
    try:
        value = _DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise JSONFault("is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise JSONFault(
            f"is not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        ) from None
    except JSONFault:
        raise
    except ValueError:
        raise JSONFault("has a number of too many digits") from None
    except RecursionError:
        raise JSONFault(f"is nested deeper than {MAX_DEPTH} levels") from None
    if b"\\u" in body:
        _check_texts(value)
    return value


def _check_shape(body: bytes) -> None:
    """Depth and size before anything is built of them; a small flat body costs three counts."""
    if body.startswith(b"\xef\xbb\xbf"):
        raise JSONFault("begins with a byte order mark")
    opened = body.count(b"[") + body.count(b"{")
    if opened <= MAX_DEPTH and opened + body.count(b",") < MAX_NODES:
        return
    bare = _STRING.sub(b"", body)
    if bare.count(b"[") + bare.count(b"{") + bare.count(b",") >= MAX_NODES:
        raise JSONFault(f"holds more than {MAX_NODES} values")
    depth = 0
    for match in _OPENING.finditer(bare):
        depth += 1 if match[0] in b"[{" else -1
        if depth > MAX_DEPTH:
            raise JSONFault(f"is nested deeper than {MAX_DEPTH} levels")


def _check_texts(value: Any) -> None:
    if isinstance(value, str):
        if _LOST.search(value):
            raise JSONFault("holds a NUL or half of a surrogate pair")
    elif isinstance(value, list):
        for item in value:
            _check_texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_texts(key)
            _check_texts(item)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise JSONFault("gives a key twice in one object")
    return result


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise JSONFault("has a number beyond the range of a double")
    return number


def _constant(name: str) -> float:
    raise JSONFault(f"holds {name}, which JSON does not have")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_float, parse_constant=_constant
)
