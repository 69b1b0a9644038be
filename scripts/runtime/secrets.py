"""`config/secrets.env`: KEY=VALUE lines. Values appear in no message."""

from __future__ import annotations

import re
from typing import NamedTuple

from .errors import SettingsError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
_QUOTED = re.compile(r"""(?:'([^']*)'|"((?:[^"\\]|\\.)*)")[ \t]*(?:\#.*)?""")


class Secret(NamedTuple):
    """A value and the line that holds it."""

    value: str
    line: int


def parse_secrets(text: str, path: str) -> dict[str, Secret]:
    """Read `NAME=value` lines; `path` is for messages. Raises SettingsError with the line.

    `export` before a name, `#` comments, and blank lines are allowed. Single quotes keep
    everything as it is, double quotes know backslash escapes; a value without quotes ends
    before ` #`. Nothing is expanded.
    """
    found: dict[str, Secret] = {}
    for line, content in enumerate(re.split(r"\r\n|\n|\r", text), start=1):
        stripped = content.strip()
        if not stripped or stripped.startswith("#"):
            continue
        where = f"{path}:{line}"
        name, value = _assignment(stripped, where)
        if name in found:
            message = f"{name} stands here again, first in line {found[name].line}"
            raise SettingsError(message, where=where)
        found[name] = Secret(value, line)
    return found


def _assignment(content: str, where: str) -> tuple[str, str]:
    name, equals, value = content.partition("=")
    name = name.removeprefix("export ").strip()
    if not equals:
        raise SettingsError("this line has no '='", where=where, hint="write NAME=value")
    if not _NAME.fullmatch(name):
        raise SettingsError("the name before '=' is not a variable's", where=where)
    return name, _value(value.strip(), where)


def _value(raw: str, where: str) -> str:
    if "\x00" in raw:
        raise SettingsError("the value holds a NUL character", where=where)
    if raw[:1] not in ("'", '"'):
        return re.split(r"(?:^|[ \t])#", raw, maxsplit=1)[0].rstrip()
    match = _QUOTED.fullmatch(raw)
    if match is None:
        raise SettingsError("the quotes around the value do not match", where=where)
    if match[1] is not None:
        return match[1]
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), match[2])
