"""URLs of Redis servers: what they may say, and what of them may be shown."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

_DEFAULT_PORT: Final = 6379
_PATHS: Final = {
    "redis": re.compile(r"/?[0-9]{0,5}"),
    "rediss": re.compile(r"/?[0-9]{0,5}"),
    "unix": re.compile(r"/.+"),
}


def check_redis_url(url: str) -> None:
    """Raises ValueError, whose text repeats nothing of the URL: it may hold a password."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in _PATHS and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known or not url.isprintable() or not _PATHS[parts.scheme].fullmatch(parts.path):
        raise ValueError("should be redis://host:port/number, rediss:// for TLS, or unix:///path")
    names = {part.partition("=")[0] for part in parts.query.split("&") if part}
    if not all(name in ("db", "password") or name.startswith("ssl_") for name in names):
        raise ValueError("should have no options but db, password and those that begin with ssl_")


def address(url: str) -> str:
    """A valid `url` without user, password and options: what may be shown and logged."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return f"unix://{parts.path}"
    host = parts.hostname or "localhost"
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}:{parts.port or _DEFAULT_PORT}{parts.path}"
