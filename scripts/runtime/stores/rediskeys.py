"""Memory scopes as Redis keys: a hash for the newest values, a stream for the history.

A scope is checked before a key is built, and each of its two components is encoded on its own,
so no scope has the key of another, whatever is in its name; fields of a hash are checked memory
keys, which hold no `#`. Only keys that begin with the prefix are ever named.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from ..errors import InvalidName
from .names import parse_scope

# Beside the memory keys in a hash, none of which holds a `#`.
SEQ_FIELD: Final = b"#seq"  # the number of the last write
LIFE_FIELD: Final = b"#life"  # of which hash of this name that is
_SAFE: Final = "._-"  # with letters and digits all that a valid name holds: it stays as it is
_GLOB = re.compile(r"([*?\[\]\\^])")


class Place(NamedTuple):
    """The keys of one scope; `building` is where a restore builds what replaces them."""

    memory: str
    history: str
    building: str


class Keys:
    """The keys below one prefix."""

    def __init__(self, prefix: str) -> None:
        self._memory = f"{prefix}memory:"
        self._history = f"{prefix}history:"
        self._building = f"{prefix}building:"
        self.probes = (f"{prefix}probe:memory", f"{prefix}probe:history")

    @property
    def patterns(self) -> tuple[str, str]:
        """What SCAN has to look for: all hashes, all streams."""
        return f"{glob(self._memory)}*", f"{glob(self._history)}*"

    def of(self, scope: str) -> Place:
        """The keys of a scope. Raises InvalidName."""
        part = encoded(parse_scope(scope).text)
        return Place(self._memory + part, self._history + part, self._building + part)

    def scope(self, key: str) -> str | None:
        """The scope whose hash or stream has this key, None for any other key."""
        for prefix in (self._memory, self._history):
            if key.startswith(prefix):
                return _scope(key[len(prefix) :])
        return None


def encoded(scope: str) -> str:
    """`owner:rest` with everything else than letters, digits, `.`, `_` and `-` encoded."""
    owner, _, rest = scope.partition(":")
    return f"{quote(owner, safe=_SAFE)}:{quote(rest, safe=_SAFE)}"


def glob(text: str) -> str:
    """A pattern that only `text` itself fits."""
    return _GLOB.sub(r"\\\1", text)


def _scope(part: str) -> str | None:
    owner, _, rest = part.partition(":")
    scope = f"{unquote(owner)}:{unquote(rest)}"
    try:
        return parse_scope(scope).text if encoded(scope) == part else None
    except InvalidName:
        return None
