"""Ids that try to leave their folder, in every spelling that a server may meet."""

from __future__ import annotations

import itertools
import unicodedata
from urllib.parse import quote, unquote

_UP = [
    "../",
    "..\\",
    "..%2f",
    "..%5c",
    "%2e%2e/",
    "%2e%2e%2f",
    "%2e%2e%5c",
    "..%252f",
    "%252e%252e%252f",
    "..%25252f",
    "..%c0%af",
    "%c0%ae%c0%ae%c0%af",
    "..%e0%80%af",
    "..%f0%80%80%af",
    "..%c1%9c",
    "..%ef%bc%8f",
    "%ef%bc%8e%ef%bc%8e%ef%bc%8f",
    "..%e2%88%95",
    "..%e2%81%84",
    "....//",
    "..../",
    "..;/",
    "..%00/",
    "%00../",
    ".%2e/",
    "%2e./",
    "./",
    "%2f../",
    "//../",
    "..%0a/",
    "..%0d%0a/",
    "%u002e%u002e%u2215",
]
_TARGETS = ["SECRET", "SECRET.md", "secret%2fSECRET", "config%2fsecrets.env", "etc%2fpasswd"]
_FINE = ["x/", "prd%2f", "analyst:", "shared:a/", ".store%2f"]  # a beginning that is fine
_ENDS = ["", "%00", "%00.md", "%20", ".", "/", "%2f", "?", "#", ";x", "%0a"]
_ABSOLUTE = ["/", "%2f", "%2F%2F", "file:%2f%2f%2f", "C:%5c", "%5c%5c", "~%2f", "%2fproc%2fself%2f"]
_ODD = [
    ".",
    "..",
    "...",
    "%00",
    "%0a",
    "%0d%0aset-cookie:%20x=y",
    "%1b[31m",
    "%e2%80%a8",
    "%ff%fe",
    "%ed%a0%80",
    "con",
    "nul.md",
    "aux%00",
    "-rf",
    "--",
    "*",
    "%3f",
    "[a-z]",
    "{a,b}",
    "$HOME",
    "$(id)",
    "`id`",
    "%7b%7b7*7%7d%7d",
    "__init__",
    "__class__.__mro__",
    "%s%s%n",
    "a" * 201,
    "a" * 5_000,
    "a__b",
    "S-1.",
    ".hidden",
    "manifest.sha256",
    "a:b",
    "shared:a:b",
    "shared:..%2f..%2fSECRET",
    "analyst:..%2fSECRET",
    "..:S-1",
]


def targets() -> list[bytes]:
    """Path segments, percent-encoded where they are; some hold raw bytes that no URL may."""
    found = list(_ODD)
    for up, times, target in itertools.product(_UP, (1, 2, 3, 4, 6, 9), _TARGETS):
        found.append(up * times + target)
    for before, up, target in itertools.product(_FINE, _UP, _TARGETS):
        found.append(f"{before}{up}{target}")
    for up, times, target, end in itertools.product(_UP, (1, 2, 4), ("SECRET", "SECRET.md"), _ENDS):
        found.append(f"{up * times}{target}{end}")
    for start, target, end in itertools.product(_ABSOLUTE, _TARGETS, _ENDS):
        found.append(f"{start}{target}{end}")
    found += [quote(unicodedata.normalize("NFD", name)) for name in ("é..", "ﬁle", "Å/../SECRET")]
    encoded = [text.encode() for text in dict.fromkeys(found)]
    raw = [b"..\xc0\xaf..\xc0\xafSECRET", b"\xff\xfe", "‥／SECRET".encode(), b"..\\..\\SECRET.md"]
    return encoded + raw


def names() -> list[str]:
    """The same as texts inside a JSON body, decoded once."""
    return sorted({unquote(text.decode("latin-1")) for text in targets()})
