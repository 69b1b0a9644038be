"""How an index follows a store: by `seq`, and only where something was written since."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Protocol, TypeVar, TypeVarTuple, Unpack, cast

from .stores.protocol import MemoryStore, Noticing

if TYPE_CHECKING:
    from .recall_index import Index

PIECE: Final = 500  # entries that are taken in before others are served

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Work(Protocol):
    """Runs a call where it may wait for the disk."""

    async def __call__(self, call: Callable[[Unpack[Ts]], T], *arguments: *Ts) -> T: ...


async def catch_up(memory: MemoryStore, name: str, index: Index, work: Work) -> None:
    """Take in all that was written to a scope, or for `{agent_id}:` to the agent's stories.

    Raises StoreError; and of the index Damaged and Unusable.
    """
    if not name.endswith(":"):
        await _follow(memory, name, index, work)
        return
    there = [scope for scope in await memory.scopes() if scope.startswith(name)]
    known = await work(index.scopes)
    marks: Mapping[str, str] = {}
    noticing = _noticing(memory)
    if noticing is not None:
        marks = await noticing.marks(there)
    for scope in there:
        mark = marks.get(scope, "")
        if not mark or known.get(scope) != mark:
            await _follow(memory, scope, index, work, mark)
    for scope in known.keys() - set(there):
        await work(index.drop, scope)


def _noticing(memory: MemoryStore) -> Noticing | None:
    """The store as one that tells of changes, where it does: also behind one that only counts."""
    names = ("state", "newer", "keys", "marks")
    return cast(Noticing, memory) if all(hasattr(memory, name) for name in names) else None


async def _follow(
    memory: MemoryStore, scope: str, index: Index, work: Work, mark: str = ""
) -> None:
    noticing = _noticing(memory)
    if noticing is None:
        await _compare(memory, scope, index, work, mark)
        return
    known = await work(index.known, scope)
    seq, count = await noticing.state(scope)
    if seq < known.seq or not await _is_same(memory, scope, index, work):
        await work(index.drop, scope)
        known = await work(index.known, scope)
    elif (seq, count, mark) == known:
        return
    async for entries in noticing.newer(scope, known.seq):
        await work(index.add, entries)
    if await work(index.note, scope, seq, mark) == count:
        return
    await work(index.keep, scope, seq, await noticing.keys(scope))
    if (await work(index.known, scope)).keys < count:
        async for entries in noticing.newer(scope, 0):
            await work(index.add, entries)


async def _is_same(memory: MemoryStore, scope: str, index: Index, work: Work) -> bool:
    """Whether the newest entry that is known is one of this store's, which may be another now."""
    witness = await work(index.witness, scope)
    if witness is None:
        return True
    key, seq, time = witness
    entry = await memory.get(scope, key)
    return entry is None or entry.seq > seq or (entry.seq, entry.timestamp) == (seq, time)


async def _compare(memory: MemoryStore, scope: str, index: Index, work: Work, mark: str) -> None:
    """The same for a store that can only be read as a whole."""
    entries = (await memory.entries(scope))[::-1]
    if not await _is_same(memory, scope, index, work):
        await work(index.drop, scope)
    for start in range(0, len(entries), PIECE):
        await work(index.add, entries[start : start + PIECE])
    seq = entries[-1].seq if entries else 0
    await work(index.keep, scope, seq, [entry.key for entry in entries])
    await work(index.note, scope, seq, mark)
