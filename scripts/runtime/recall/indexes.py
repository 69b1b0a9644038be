"""What fits a question, of the scopes that an agent may see.

Each set of scopes that is asked as one has an index of its own, so that what others remember
changes neither what is found nor its score. An index follows the store by `seq`, also what other
processes write; it is thrown away and made again when it is damaged or of another store.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar, TypeVarTuple, Unpack

from ..stores.protocol import Entry, MemoryStore
from .follow import Work, catch_up

if TYPE_CHECKING:
    from .index import Hit, Index

MAX_OPEN: Final = 32  # indexes that are kept open

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_log = logging.getLogger(__name__)


class Found(NamedTuple):
    """An entry that fits; `score` is its BM25 within its own index, above 0."""

    entry: Entry
    score: float


@dataclass(slots=True, eq=False)
class _Held:
    """An index that is open, or will be when it is asked."""

    name: str
    path: Path | None
    is_new: bool = False
    index: Index | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Recall:
    """The indexes of one store. Their files stand in `folder` and may be deleted at any time;
    without a folder they are in this process only.
    """

    def __init__(self, memory: MemoryStore, folder: Path | None) -> None:
        self._memory = memory
        self._folder = folder
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._worker = ThreadPoolExecutor(1, "recall")

    async def find(
        self,
        names: Sequence[str],
        question: str,
        *,
        limit: int,
        categories: Collection[str] = (),
        without: Collection[tuple[str, str]] = (),
    ) -> list[Found]:
        """At most `limit` entries, the best first, without those of a scope and key in `without`.

        A name is a scope, or `{agent_id}:` for all the stories of an agent. Raises StoreError.
        """
        hits = []
        for name in dict.fromkeys(names):
            ask = partial(
                _search, question=question, categories=categories, limit=limit + len(without)
            )
            hits += await self._on_index(name, ask)
        found = []
        for hit in _best(hits, limit, without):
            entry = await self._memory.get(hit.scope, hit.key)
            if entry is not None and entry.seq == hit.seq:  # else it was written this very moment
                found.append(Found(entry, hit.score))
        return found

    async def frozen(self, names: Sequence[str]) -> Frozen:
        """The indexes as they are now, for questions that come later; to be closed."""
        frozen = Frozen(self._work)
        try:
            for name in dict.fromkeys(names):
                frozen.views[name] = await self._on_index(name, _frozen)
        except BaseException:
            await frozen.close()
            raise
        return frozen

    async def close(self) -> None:
        """Give all files back."""
        while self._held:
            await self._shut(self._held.popitem()[1])
        self._worker.shutdown()

    async def _on_index(self, name: str, use: Callable[[Index], T]) -> T:
        """`use` of an index that knows all that is written."""
        from .index import Damaged, Unusable

        held = self._hold(name)
        async with held.lock:
            while True:
                try:
                    index = await self._open(held)
                    await catch_up(self._memory, name, index, self._work)
                    return await self._work(use, index)
                except (Damaged, Unusable) as fault:
                    if held.path is None:
                        raise
                    _log.warning("the index of memory %s is made again: %s", name, fault)
                    await self._start_over(held, isinstance(fault, Damaged))

    def _hold(self, name: str) -> _Held:
        held = self._held.get(name)
        if held is None:
            stem = hashlib.sha256(name.encode()).hexdigest()[:32]
            path = None if self._folder is None else self._folder / f"{stem}.sqlite"
            held = self._held[name] = _Held(name, path)
        self._held.move_to_end(name)
        return held

    async def _open(self, held: _Held) -> Index:
        from .index import Index  # SQLite is not loaded before anyone asks

        if held.index is None:
            held.index = await self._work(Index, held.path, held.name)
            for other in [each for each in self._held.values() if not each.lock.locked()]:
                if len(self._held) <= MAX_OPEN:
                    break
                del self._held[other.name]
                await self._shut(other)
        return held.index

    async def _start_over(self, held: _Held, is_damaged: bool) -> None:
        """With a new file; without one where files are no good, or are damaged again and again."""
        await self._shut(held)
        path, held.path = held.path, None
        if path is not None and is_damaged and not held.is_new and await self._work(_removed, path):
            held.path, held.is_new = path, True

    async def _shut(self, held: _Held) -> None:
        index, held.index = held.index, None
        if index is not None:
            await self._work(index.close)

    async def _work(self, call: Callable[[Unpack[Ts]], T], *arguments: *Ts) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, call, *arguments)


class Frozen:
    """What was known at one moment, whatever has been written since."""

    def __init__(self, work: Work) -> None:
        self.views: dict[str, Index] = {}
        self._work = work

    async def find(
        self,
        names: Sequence[str],
        question: str,
        *,
        limit: int,
        without: Collection[tuple[str, str]] = (),
    ) -> list[Hit]:
        """As Recall.find; what the hits are about stands in the memory of that moment.

        KeyError for a name that was not frozen.
        """
        hits: list[Hit] = []
        for name in names:
            view = self.views[name]
            hits += await self._work(_search, view, question, (), limit + len(without))
        return _best(hits, limit, without)

    async def close(self) -> None:
        """Give the files back."""
        while self.views:
            await self._work(self.views.popitem()[1].close)


def _search(index: Index, question: str, categories: Collection[str], limit: int) -> list[Hit]:
    from .words import words_of

    return index.search(words_of(question), categories, limit)


def _frozen(index: Index) -> Index:
    return index.frozen()


def _best(hits: list[Hit], limit: int, without: Collection[tuple[str, str]]) -> list[Hit]:
    """The best of several indexes, each in its order."""
    hits.sort(key=lambda hit: -hit.score)
    unseen = {(hit.scope, hit.key): hit for hit in hits if (hit.scope, hit.key) not in without}
    return list(unseen.values())[:limit]


def _removed(path: Path) -> bool:
    """Whether the file, and what SQLite puts beside it, could be removed."""
    try:
        for end in ("", "-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
    except OSError:
        return False
    return True
