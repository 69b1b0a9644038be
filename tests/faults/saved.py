"""Both stores filled, looked at, and taken through an archive and back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from scripts.runtime.archive import Archive
from scripts.runtime.backup import Stores, back_up, restore
from scripts.runtime.stores.documents import FileDocuments
from scripts.runtime.stores.memory import FileMemory

SCOPES = ("analyst:S-1", "analyst:S_1", "critic:S-1", "shared:product", "analyst:" + "x" * 100)
AUTHOR = {"kind": "agent", "agent": "writer", "step": "writer", "run_id": "r", "prompt": "0" * 64}


def silent(what: str, done: int, of: int) -> None:
    return


def using(root: Path, use: Callable[[Stores], Any]) -> Any:
    async def main() -> Any:
        memory = FileMemory(root / "memory")
        try:
            return await use(Stores(memory, FileDocuments(root / "docs"), root / "memory"))
        finally:
            await memory.close()

    return asyncio.run(main())


def fill(root: Path, word: str, writes: int = 12) -> None:
    async def write(stores: Stores) -> None:
        for scope in SCOPES:
            for number in range(writes):
                await stores.memory.put(scope, f"k{number % 5}", f"{word} \u2028 {number}")
            await stores.memory.put(scope, "o", {"a": [number]}, category="quality_insight")
            await stores.memory.delete(scope, "k0")
        for number in range(3):
            await stores.documents.put("S-1__prd", f"# {word} {number}\r\n", author=AUTHOR)
            await stores.documents.put(f"note.{number}", f"{word} – Größe", author=None)

    using(root, write)


def contents(root: Path) -> dict[str, Any]:
    """All of both stores: writes with numbers, times and categories, revisions with authors."""

    async def read(stores: Stores) -> dict[str, Any]:
        memory, documents = stores.memory, stores.documents
        found: dict[str, Any] = {each: await memory.dump(each) for each in await memory.scopes()}
        for info in await documents.list():
            kept = await documents.dump(info.id)
            found[info.id] = [(*map(str, (r.rev, r.etag, r.time, r.author)), t) for r, t in kept]
        return found

    found: dict[str, Any] = using(root, read)
    return found


def backed_up(root: Path, path: Path) -> Archive:
    archive: Archive = using(root, lambda stores: back_up(stores, path, silent))
    return archive


def restored(root: Path, path: Path) -> None:
    using(root, lambda stores: restore(stores, path, silent))


class Saved(NamedTuple):
    """An archive, and what it was made of."""

    path: Path
    there: dict[str, Any]


def saved_in(root: Path) -> Saved:
    """An archive of what there is."""
    backed_up(root, root / "a.zip")
    return Saved(root / "a.zip", contents(root))
