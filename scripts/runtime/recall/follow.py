"""How an index follows a store: by `seq`, and only where something was written since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeVar, TypeVarTuple, Unpack, cast

from ..stores.protocol import MemoryStore, Noticing

if TYPE_CHECKING:
    from .index import Index, Known

MAX_SEQ: Final = 2**63 - 1
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
    known = await work(index.scopes)
    noticing = _noticing(memory)
    marks = await noticing.marks(name) if noticing is not None else await _unmarked(memory, name)
    for scope, mark in marks.items():
        if not mark or known.get(scope) != mark:
            follow = _Follow(memory, scope, index, work)
            await (follow.compare(mark) if noticing is None else follow.catch_up(noticing, mark))
    for scope in known.keys() - marks.keys():
        await work(index.drop, scope)


async def _unmarked(memory: MemoryStore, name: str) -> dict[str, str]:
    scopes = [name]
    if name.endswith(":"):
        scopes = [scope for scope in await memory.scopes() if scope.startswith(name)]
    return dict.fromkeys(scopes, "")


def _noticing(memory: MemoryStore) -> Noticing | None:
    """The store as one that tells of changes, where it does: also behind one that only counts."""
    names = ("state", "newer", "keys", "marks")
    return cast(Noticing, memory) if all(hasattr(memory, name) for name in names) else None


@dataclass(frozen=True, slots=True)
class _Follow:
    """One scope of a store, and the index that is to know it."""

    memory: MemoryStore
    scope: str
    index: Index
    work: Work

    async def catch_up(self, noticing: Noticing, mark: str) -> None:
        """Take in what was written since, or look at everything if that cannot be told."""
        work, index, scope = self.work, self.index, self.scope
        known = await work(index.known, scope)
        seq, count = await noticing.state(scope)
        is_same = await self._is_same(known, seq, mark)
        if is_same and (seq, count, mark) == known:
            return
        async for entries in noticing.newer(scope, known.seq if is_same else 0):
            await work(index.add, entries, not is_same)
        if await work(index.note, scope, seq, mark) == count:
            return
        await work(index.keep, scope, MAX_SEQ if not is_same else seq, await noticing.keys(scope))
        if (await work(index.known, scope)).keys < count:
            async for entries in noticing.newer(scope, 0):
                await work(index.add, entries)

    async def compare(self, mark: str) -> None:
        """The same for a store that can only be read as a whole."""
        work, index, scope = self.work, self.index, self.scope
        entries = (await self.memory.entries(scope))[::-1]
        for start in range(0, len(entries), PIECE):
            await work(index.add, entries[start : start + PIECE], True)
        seq = entries[-1].seq if entries else 0
        await work(index.keep, scope, seq, [entry.key for entry in entries])
        await work(index.note, scope, seq, mark)

    async def _is_same(self, known: Known, seq: int, mark: str) -> bool:
        """Whether what is known is the beginning of what is there, which may be another now."""
        if mark.split(" ", maxsplit=1)[0] != known.mark.split(" ")[0]:
            return False  # a mark begins with the file's number, and this may be a restored one
        witness = await self.work(self.index.witness, self.scope)
        if witness is None:
            return True
        key, its_seq, time = witness
        entry = await self.memory.get(self.scope, key)
        if entry is not None and entry.seq <= its_seq:
            return (entry.seq, entry.timestamp) == (its_seq, time)
        if mark:
            return seq > its_seq
        writes = await self.memory.history(self.scope, key)
        return seq > its_seq and any((e.seq, e.timestamp) == (its_seq, time) for e in writes)
