"""What a store must do, whatever it is made of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

CATEGORIES: Final = (
    "agent_context",
    "workflow_pattern",
    "task_completion",
    "collaboration",
    "quality_insight",
    "error_pattern",
)


class Entry(NamedTuple):
    """A value in memory; `timestamp` is RFC 3339 in UTC, `seq` counts within its scope from 1.

    `op` is `set` or `delete`; `category` is one of CATEGORIES, or None. A tuple, since one is
    made for every write: a frozen dataclass takes four times as long.
    """

    key: str
    value: Any
    scope: str
    timestamp: str
    seq: int
    op: str = "set"
    category: str | None = None


class MemoryStore(Protocol):
    """Scopes are `{agent_id}:{story_id}` or `shared:{namespace}`, validated by `names.py`."""

    @property
    def backend(self) -> str: ...

    async def get(self, scope: str, key: str) -> Entry | None: ...

    async def entries(self, scope: str) -> list[Entry]:
        """The newest value of each key, newest first."""
        ...

    async def history(self, scope: str, key: str) -> list[Entry]:
        """The kept writes of a key, oldest first, deletions included."""
        ...

    async def put(
        self, scope: str, key: str, value: Any, *, category: str | None = None
    ) -> Entry: ...

    async def delete(self, scope: str, key: str) -> bool:
        """False when there was nothing."""
        ...

    async def scopes(self) -> list[str]:
        """All scopes that hold anything, sorted."""
        ...

    async def dump(self, scope: str) -> tuple[int, list[Entry]]:
        """Every kept write of a scope by `seq`, deletions included, as of the one it returns."""
        ...

    async def load(self, scope: str, entries: Sequence[Entry]) -> None:
        """Replace the scope by these writes, whose `seq`s are kept."""
        ...

    async def check(self) -> None:
        """Raises StoreError (503) when the store cannot be reached."""
        ...

    async def close(self) -> None: ...


class Noticing(Protocol):
    """What a store may do besides, so that an index need not read a scope that it knows."""

    async def state(self, scope: str) -> tuple[int, int]:
        """The `seq` of the newest write, and how many keys have a value."""
        ...

    def newer(self, scope: str, after: int) -> AsyncIterator[Sequence[Entry]]:
        """The values that were written after that `seq` and are the newest, oldest first."""
        ...

    async def keys(self, scope: str) -> Sequence[str]:
        """The keys that have a value."""
        ...

    async def marks(self, name: str) -> Mapping[str, str]:
        """A text for a scope, or for each of `{agent_id}:`, that is the same as long as it is.

        An empty one says nothing; a scope that is not there may be left out.
        """
        ...


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """`etag` is quoted, as HTTP has it; times are RFC 3339 in UTC; `size` in bytes.

    In a list, `etag` is empty for a document that the service may not read, or that is too large.
    """

    id: str
    etag: str
    created_at: str
    updated_at: str
    size: int


@dataclass(frozen=True, slots=True)
class Document:
    """A document's Markdown beside what is known of it."""

    info: DocumentInfo
    text: str


@dataclass(frozen=True, slots=True)
class Revision:
    """One state that a document was in; `rev` counts from 1, `time` is RFC 3339 in UTC.

    `author` says who wrote it by `kind`: agent (with `agent`, `step`, `run_id` and `prompt`, the
    SHA-256 of the agent's prompt), client (with `client`, the name of its key), disk (the file
    was changed by other means than the store's), or unknown.
    """

    rev: int
    etag: str
    time: str
    size: int
    author: Mapping[str, str]


class DocumentStore(Protocol):
    """Ids are validated document ids, without `.md`."""

    async def get(self, document_id: str, rev: int | None = None) -> Document | None:
        """The document as it is, or as it was at a revision; None when there is no such one."""
        ...

    async def exists(self, document_id: str) -> bool: ...

    async def list(
        self, prefix: str = "", *, after: str = "", limit: int | None = None
    ) -> Sequence[DocumentInfo]:
        """By id: those that begin with `prefix` and come behind `after`, `limit` at most."""
        ...

    async def put(
        self,
        document_id: str,
        text: str,
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
        author: Mapping[str, str] | None = None,
    ) -> tuple[DocumentInfo, bool]:
        """The new state, and whether it is new. The same text again changes nothing.

        The conditions are HTTP's: `*`, or tags. Raises Conflict (412) when one does not hold.
        """
        ...

    async def delete(self, document_id: str, *, if_match: str | None = None) -> bool:
        """Remove the document and its revisions; False when there was none."""
        ...

    async def revisions(self, document_id: str) -> Sequence[Revision]:
        """The kept revisions, newest first: the first one is the document as it is."""
        ...

    async def dump(self, document_id: str) -> Sequence[tuple[Revision, str]]:
        """The kept revisions with their texts, oldest first."""
        ...

    async def load(self, document_id: str, revisions: Sequence[tuple[Revision, str]]) -> None:
        """Replace the document and its history by these, oldest first, numbers and times kept."""
        ...
