"""A memory store whose operations are counted and timed."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol, TypeVar, cast

from .protocol import MemoryStore

T = TypeVar("T")


class Count(Protocol):
    """Hands on what a call returns or raises, and takes down how it went."""

    async def __call__(self, operation: str, call: Awaitable[T]) -> T: ...


class _Counted:
    """Stands before a store; what is not counted is the store's own."""

    def __init__(self, store: MemoryStore, count: Count) -> None:
        self._store = store
        self._count = count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def get(self, *what: Any, **more: Any) -> Awaitable[Any]:
        return self._count("get", self._store.get(*what, **more))

    def entries(self, *what: Any, **more: Any) -> Awaitable[Any]:
        return self._count("entries", self._store.entries(*what, **more))

    def history(self, *what: Any, **more: Any) -> Awaitable[Any]:
        return self._count("history", self._store.history(*what, **more))

    def put(self, *what: Any, **more: Any) -> Awaitable[Any]:
        return self._count("put", self._store.put(*what, **more))

    def delete(self, *what: Any, **more: Any) -> Awaitable[Any]:
        return self._count("delete", self._store.delete(*what, **more))


def counted(store: MemoryStore, count: Count) -> MemoryStore:
    """The same store, with `count` told of each operation of MemoryStore."""
    return cast(MemoryStore, _Counted(store, count))
