"""What a v4 step says of documents: names, and words that stand for documents."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from ....runtime import spec

_ASIDE: Final = re.compile(r"\s*[(（][^)）]*[)）]")
_OR: Final = re.compile(r"\s+(?:OR|or)\s+")
_ALL: Final = re.compile(r"^all_|^all ")
_FLAGGED: Final = re.compile(r"flagged")
_SUFFIX: Final = re.compile(r"\.(?:md|ya?ml|txt|json|csv)$")
_FILE: Final = re.compile(r"[\w./{}-]+\.(?:md|ya?ml|txt|json|csv)(?![\w-])")
_DOUBLED: Final = re.compile(r"([-_])[-_]+")
_MANY: Final = 3  # words: then it is no name
_NOT_NAME: Final = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(slots=True)
class Named:
    """`names` are documents; `everything` means all that were made so far, `flagged` those that
    a validation found fault with. `remarks` say what was taken otherwise than it was written.
    """

    names: list[str] = field(default_factory=list)
    symbols: list[str] = field(default_factory=list)
    everything: bool = False
    flagged: bool = False
    is_perhaps: bool = False
    remarks: list[str] = field(default_factory=list)


def read(texts: list[str]) -> Named:
    """What a list of texts names; each may be a list with commas itself."""
    found = Named()
    for text in texts:
        for part in text.split(","):
            if part.strip():
                _take(found, part.strip())
    return found


def _take(found: Named, text: str) -> None:
    bare = _ASIDE.sub("", text).strip()
    if bare != text:
        found.is_perhaps = True
        found.remarks.append(f"{text!r} is {bare!r}, perhaps")
    first, *others = _OR.split(bare)
    if others:
        found.remarks.append(f"{bare!r} is {first!r}, the first of them")
    if _FLAGGED.search(first):
        found.flagged = True
    elif _ALL.search(first):
        found.everything = True
    else:
        _add(found, first)


def _add(found: Named, text: str) -> None:
    first, *more = text.split()
    if more and _FILE.fullmatch(first):
        # "prd.md with the answers", "prd.md and ui.md": the files, whatever is said of them.
        files = list(dict.fromkeys(_FILE.findall(text)))
        found.remarks.append(f"{text!r} is taken for {' and '.join(files)!r}")
        for file in files:
            _add(found, file)
        return
    is_document = _SUFFIX.search(text) is not None
    if not is_document and len(words := text.split()) > _MANY:
        found.remarks.append(f"{text!r} is taken for {' '.join(words[:2])!r}")
        text = "-".join(words[:2])
    name = _SUFFIX.sub("", text.rstrip("/").rpartition("/")[2] if is_document else text.rstrip("/"))
    fit = _DOUBLED.sub(r"\1", _NOT_NAME.sub("-", name)).strip("-._")[: spec.MAX_DOCUMENT_ID // 4]
    if not fit:
        return
    if fit != text.removesuffix(".md"):
        found.remarks.append(f"{text!r} is the document {fit!r}")
    (found.names if is_document else found.symbols).append(fit)
