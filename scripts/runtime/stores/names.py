"""Memory scopes, memory keys and documents as file names.

Everything is checked before a path is built. No two scopes, and no two documents, have the
same file name. Names keep their case, as people type it: on a file system that ignores case,
`S-1` and `s-1` share a file (memory still keeps their records apart, documents cannot).
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from ..errors import InvalidName
from ..spec import RESERVED_AGENT_IDS, document_name, id_key, is_document_id, is_id, is_story_id
from .protocol import CATEGORIES

SHARED: Final = "shared"
_MAX_FILE_NAME: Final = 255
_SCOPE_RULE = "should be {agent_id}:{story_id} or shared:{namespace}"


class Scope(NamedTuple):
    """A valid scope and its file: `memory/{folder}/{file}`."""

    text: str
    folder: Literal["isolated", "shared"]
    file: str


@lru_cache(4096)  # a step asks for its own twice, a crowd's other steps between
def parse_scope(text: str) -> Scope:
    """`analyst:S-1` or `shared:requirements`. Raises InvalidName."""
    owner, colon, rest = text.partition(":")
    if not colon:
        raise InvalidName("scope", _SCOPE_RULE)
    if owner == SHARED:
        if not is_document_id(rest):
            raise InvalidName("scope", _SCOPE_RULE)
        return Scope(text, "shared", f"{rest}.jsonl")
    if not is_agent_id(owner) or not is_story_id(rest):
        raise InvalidName("scope", _SCOPE_RULE)
    return Scope(text, "isolated", _isolated_file(owner, rest))


def scope_of(memory_scope: str, agent_id: str, story_id: str) -> str:
    """The scope of an agent whose `memory_scope` is `isolated` or `shared:{namespace}`."""
    return f"{agent_id}:{story_id}" if memory_scope == "isolated" else memory_scope


def is_agent_id(text: str) -> bool:
    """Whether `text` may be an agent's id; `shared` and its like are not."""
    return is_id(text) and id_key(text) not in RESERVED_AGENT_IDS


def check_key(key: str) -> str:
    """The key of a memory entry. Raises InvalidName."""
    if not is_document_id(key):
        raise InvalidName("key", "should be letters, digits, '.', '_' and '-', at most 200")
    return key


def check_category(category: str | None) -> str | None:
    """The category of a memory entry, None for none. Raises InvalidName."""
    if category is not None and category not in CATEGORIES:
        raise InvalidName("category", f"should be one of {', '.join(CATEGORIES)}")
    return category


@lru_cache(2**15)  # a question about all of an agent's stories asks for each of them
def scope_in(folder: str, file: str) -> str | None:
    """The scope that is kept in `memory/{folder}/{file}`; None for a file of another name.

    A name that was too long to be kept whole (`~`) does not tell its scope: None as well.
    """
    if not file.endswith(".jsonl"):
        return None
    stem = file.removesuffix(".jsonl")
    agent_id, _, story_id = stem.rpartition("_")
    scope = f"shared:{stem}" if folder == "shared" else f"{agent_id}:{story_id.replace('%5F', '_')}"
    try:
        place = parse_scope(scope)
    except InvalidName:
        return None
    return scope if (place.folder, place.file) == (folder, file) else None


def document_file(document_id: str) -> str:
    """`S-1__prd` is kept in `S-1__prd.md`. Raises InvalidName."""
    if not is_document_id(document_id):
        raise InvalidName("id", "should be letters, digits, '.', '_' and '-', at most 200")
    return f"{document_id}.md"


def document_of(file: str) -> str | None:
    """The id of the document that is kept in `file`, None for any other file."""
    if not file.endswith(".md"):
        return None
    document_id = document_name(file)
    if document_id.endswith(".md"):  # nobody could ask for it: a `.md` is dropped
        return None
    return document_id if is_document_id(document_id) else None


def _isolated_file(agent_id: str, story_id: str) -> str:
    # The last `_` is the one between the two: a story's own are encoded.
    stem = f"{agent_id}_{story_id.replace('_', '%5F')}"
    if len(stem) + len(".jsonl") > _MAX_FILE_NAME:
        digest = hashlib.sha256(stem.encode()).hexdigest()
        stem = f"{stem[:150]}~{digest}"  # no id holds a `~`
    return f"{stem}.jsonl"
