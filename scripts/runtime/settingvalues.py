"""The kinds of values that settings have: what each looks like, and what is said of others."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from .redisurl import check_redis_url

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}
_UNITS |= {"kib": 2**10, "mib": 2**20, "gib": 2**30}
_CLASS = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_SIZE = re.compile(r"([0-9]{1,12})\s*([A-Za-z]{0,3})")


def parse_size(value: object) -> object:
    """`10MB` is 10 000 000 bytes and `10MiB` 10 485 760; a number is bytes already."""
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value.strip())
    if match is None or match[2].lower() not in _UNITS:
        raise ValueError("should be a number of bytes, such as 10MB, 512kB or 10MiB")
    return int(match[1]) * _UNITS[match[2].lower()]


def _check_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("should be an http or https URL")
    if parts.username or parts.password:
        raise ValueError("should not hold a user name or a password")
    return value.rstrip("/")


def check_redis(value: SecretStr) -> SecretStr:
    """The URL of a Redis. Raises ValueError."""
    check_redis_url(value.get_secret_value())
    return value


def _check_text(value: str) -> str:
    if not value.isprintable():
        raise ValueError("should hold printable characters only")
    return value


def one_of(names: Sequence[str]) -> Callable[[str], str]:
    """One of `names`, or a class of the user's own."""

    def check(value: str) -> str:
        if value not in names and not _CLASS.fullmatch(value):
            known = ", ".join(f"'{name}'" for name in names)
            raise ValueError(f"should be {known}, or a class of your own as package.module:Class")
        return value

    return check


def _check_key(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError("should be printable ASCII without spaces")
    return value


def parse_switch(value: object) -> object:
    """`true` and `false`, in capitals too."""
    words = {"true": True, "false": False}
    return words.get(value.lower(), value) if isinstance(value, str) else value


def parse_ratio(value: object) -> object:
    """A number that is written as text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _check_headers(value: SecretStr) -> SecretStr:
    read_headers(value.get_secret_value())
    return value


def read_headers(text: str) -> dict[str, str]:
    """`name=value,name=value`, values URL-encoded or plain. Raises ValueError, without the text."""
    found = {}
    for place, entry in enumerate(filter(None, map(str.strip, text.split(","))), start=1):
        name, equals, value = (part.strip() for part in entry.partition("="))
        if not equals or not _TOKEN.fullmatch(name) or not unquote(value).isprintable():
            raise ValueError(f"should be name=value,name=value; entry {place} is not")
        found[name.lower()] = unquote(value)
    return found


Text = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_check_text)]
Key = Annotated[SecretStr, AfterValidator(_check_key)]
Url = Annotated[Text, AfterValidator(_check_url)]
Headers = Annotated[SecretStr, AfterValidator(_check_headers)]
Ratio = Annotated[float, Field(ge=0, le=1), BeforeValidator(parse_ratio)]
Switch = Annotated[bool, BeforeValidator(parse_switch)]
Size = Annotated[int, BeforeValidator(parse_size)]
Texts = Annotated[tuple[Text, ...], Field(strict=False)]
