"""What a write asks of the disk fails at its first, second, … call: no room, or no sync."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest

from scripts.runtime.errors import StoreError
from scripts.runtime.stores import grouped
from scripts.runtime.stores.documents import FileDocuments
from scripts.runtime.stores.journal import Journal
from scripts.runtime.stores.memory import FileMemory
from scripts.runtime.stores.protocol import DocumentInfo
from scripts.runtime.stores.record import BadLine, decode
from scripts.runtime.stores.revisions import History

Durability = Literal["commit", "always"]
Patch = pytest.MonkeyPatch

SCOPE = "shared:all"
AUTHOR = {"kind": "agent", "agent": "writer"}
CALLS = ("write", "ftruncate", "replace", "utime", "fsync", "fdatasync")


class Full(NamedTuple):
    """No room from the call `place` on, or only then; a write fails, or half of it is done.

    `before` is what was written when there was room.
    """

    place: int
    once: bool
    half: bool
    before: tuple[str, ...] = ("old",)

    @contextmanager
    def disk(self, patch: Patch) -> Iterator[list[str]]:
        """Inside the block it is full; the names of the calls that have failed."""
        asked, failed = itertools.count(), list[str]()

        def watched(name: str) -> Callable[..., Any]:
            real = getattr(os, name)

            def call(*arguments: Any, **options: Any) -> Any:
                number = next(asked)
                if number < self.place or (self.once and failed):
                    return real(*arguments, **options)
                failed.append(name)
                if name == "write" and self.half and number == self.place:
                    return real(arguments[0], arguments[1][: len(arguments[1]) // 2])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            return call

        with patch.context() as patched:
            for name in CALLS:
                patched.setattr(os, name, watched(name))
            yield failed


KINDS = [(once, half) for once in (True, False) for half in (True, False)]


async def answer(ask: Any) -> Any:
    """What comes of it: the answer, or the fault."""
    try:
        return await ask
    except Exception as fault:  # noqa: BLE001 - which it is, is what is looked at
        return fault


def unlike(given: Any) -> list[str]:
    """How a write without room was answered, if by a fault that is not 507."""
    is_fine = not isinstance(given, Exception) or getattr(given, "status", 0) == 507
    return [] if is_fine else [f"answered by {given!r}"]


def untrue(texts: Sequence[Any], before: tuple[str, ...], *, made: bool) -> list[str]:
    """What is wrong with a history behind a write of `new`."""
    if tuple(texts) == (*before, "new") or (not made and tuple(texts) == before):
        return []
    return [f"{'made' if made else 'refused'}, but there is {texts}"]


async def memory_faults(store: FileMemory, folder: Path, full: Full, patch: Patch) -> list[str]:
    """What is wrong behind a write of memory that found no room."""
    for text in full.before:
        await store.put(SCOPE, "k", text)
    with full.disk(patch) as failed:
        given = await answer(store.put(SCOPE, "k", "new"))
    told = unlike(given)
    for reader in (store, FileMemory(folder)):
        texts = [entry.value for entry in await reader.history(SCOPE, "k")]
        newest = await reader.get(SCOPE, "k")
        told += untrue(texts, full.before, made=not isinstance(given, Exception))
        if (newest and newest.value) != (texts[-1] if texts else None) or reader.problems:
            told.append(f"{newest} stands before {texts}, {reader.problems}")
        if reader is not store:
            await reader.close()
    later = await answer(store.put(SCOPE, "k", "newer"))
    await store.close()
    if isinstance(later, Exception):
        told.append(f"it does not go on: {later}")
    return [*told, *damaged(folder / "shared" / "all.jsonl"), *(["reached"] if failed else [])]


def damaged(path: Path) -> list[str]:
    """Lines of a file of memory that are none, or do not have the next number."""
    told = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            if decode(line).seq != number:
                told.append(f"line {number} has another number")
        except BadLine as reason:
            told.append(f"line {number}: {reason}")
    return told


async def document_faults(
    store: FileDocuments, folder: Path, full: Full, patch: Patch
) -> list[str]:
    """What is wrong behind a write of a document that found no room."""
    for text in full.before:
        await store.put("prd", text, author=AUTHOR)
    with full.disk(patch) as failed:
        given = await answer(store.put("prd", "new", author=AUTHOR))
    told = unlike(given)
    for reader in (store, FileDocuments(folder)):
        found = await reader.dump("prd")
        texts = [text for _, text in found]
        document = await reader.get("prd")
        told += untrue(texts, full.before, made=not isinstance(given, Exception))
        if (document and document.text) != (texts[-1] if texts else None):
            told.append(f"{document} stands before {texts}")
        told += [f"{revision} is by another" for revision, _ in found if revision.author != AUTHOR]
    later = await answer(store.put("prd", "newer"))
    if isinstance(later, Exception):
        told.append(f"it does not go on: {later}")
    left = [path.name.partition("~")[0] for path in (folder / ".store" / "new").iterdir()]
    if left and (full.once or left != ["prd"]):  # else there was no room to take it back either
        told.append(f"{left} was left behind")
    return [*told, *(["reached"] if failed else [])]


Try = Callable[[Path, Full], list[str]]


def everywhere(
    attempt: Try, folder: Path, *, once: bool, half: bool, before: tuple[str, ...] = ("old",)
) -> tuple[list[str], int]:
    """What is wrong behind all of the calls that a write makes, and how many those are."""
    told: list[str] = []
    for place in itertools.count():
        found = attempt(folder / str(place), Full(place, once, half, before))
        if found[-1:] != ["reached"]:
            return told + found, place
        told += found[:-1]
    return told, 0


def of_memory(durability: Durability, patch: Patch) -> Try:
    return lambda folder, full: asyncio.run(
        memory_faults(FileMemory(folder, durability), folder, full, patch)
    )


def of_documents(
    durability: Durability, patch: Patch, make: type[FileDocuments] = FileDocuments
) -> Try:
    return lambda folder, full: asyncio.run(
        document_faults(make(folder, durability), folder, full, patch)
    )


@pytest.mark.parametrize(("once", "half"), KINDS)
@pytest.mark.parametrize(("durability", "calls"), [("commit", 1), ("always", 2)])
def test_a_write_of_memory_without_room(
    tmp_path: Path,
    durability: Durability,
    calls: int,
    monkeypatch: Patch,
    *,
    once: bool,
    half: bool,
) -> None:
    """It is made or it is not, and is answered so."""
    attempt = of_memory(durability, monkeypatch)
    assert everywhere(attempt, tmp_path, once=once, half=half) == ([], calls)


@pytest.mark.parametrize(("once", "half"), KINDS)
@pytest.mark.parametrize(("durability", "calls"), [("commit", 3), ("always", 5)])
def test_a_write_of_a_document_without_room(
    tmp_path: Path,
    durability: Durability,
    calls: int,
    monkeypatch: Patch,
    *,
    once: bool,
    half: bool,
) -> None:
    """Likewise, and the document agrees with its history."""
    attempt = of_documents(durability, monkeypatch)
    told, reached = everywhere(attempt, tmp_path, once=once, half=half)
    assert told == []
    assert reached >= calls


@pytest.mark.parametrize(("once", "half"), KINDS)
@pytest.mark.parametrize("durability", ["commit", "always"])
@pytest.mark.parametrize("of", [of_memory, of_documents])
def test_the_first_write_of_all_without_room(
    tmp_path: Path, durability: Durability, of: Any, monkeypatch: Patch, *, once: bool, half: bool
) -> None:
    """Folders and files are made on the way, and synced with `always`."""
    attempt = of(durability, monkeypatch)
    told, reached = everywhere(attempt, tmp_path, once=once, half=half, before=())
    assert told == []
    assert reached >= (1 if durability == "commit" else 5)


class TestFoundOut:
    """The same with stores that are wrong on purpose."""

    @pytest.mark.parametrize("half", [True, False])
    def test_a_memory_that_does_not_look(
        self, tmp_path: Path, monkeypatch: Patch, *, half: bool
    ) -> None:
        def careless(journal: Journal, data: bytes) -> None:
            with suppress(OSError):
                os.write(journal._fd, data)

        monkeypatch.setattr(Journal, "_write", careless)
        attempt = of_memory("commit", monkeypatch)
        assert everywhere(attempt, tmp_path, once=True, half=half)[0] != []

    def test_a_memory_that_leaves_half_of_it_and_goes_on_behind(
        self, tmp_path: Path, monkeypatch: Patch
    ) -> None:
        def gluing(journal: Journal) -> None:
            """What is there is taken for whole, as by a writer that only ever appends."""
            while not journal._catch_up(journal._size):
                pass
            journal._lines.end = journal._size

        monkeypatch.setattr(Journal, "_take_over", gluing)
        monkeypatch.setattr(Journal, "_cut", lambda journal, size: None)
        attempt = of_memory("commit", monkeypatch)
        assert everywhere(attempt, tmp_path, once=True, half=True)[0] != []

    def test_a_document_whose_revision_does_not_look(
        self, tmp_path: Path, monkeypatch: Patch
    ) -> None:
        real = History.append

        def careless(history: History, *arguments: Any) -> None:
            with suppress(OSError, StoreError):
                real(history, *arguments)

        monkeypatch.setattr(History, "append", careless)
        attempt = of_documents("commit", monkeypatch)
        assert everywhere(attempt, tmp_path, once=True, half=False)[0] != []

    def test_a_document_that_is_written_in_place(self, tmp_path: Path, monkeypatch: Patch) -> None:
        class InPlace(FileDocuments):
            async def put(
                self, document_id: str, text: str, **options: Any
            ) -> tuple[DocumentInfo, bool]:
                path = self._shelf.path(document_id)
                if not path.exists():
                    return await super().put(document_id, text, **options)
                descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
                try:
                    os.write(descriptor, text.encode())
                except OSError as error:
                    raise StoreError("no room", store="documents", status=507) from error
                finally:
                    os.close(descriptor)
                return await super().put(document_id, text, **options)

        attempt = of_documents("commit", monkeypatch, InPlace)
        assert everywhere(attempt, tmp_path, once=True, half=False)[0] != []

    def test_one_that_fails_without_a_word_for_it(self, tmp_path: Path, monkeypatch: Patch) -> None:
        """Planted: what the system says is passed on as it is."""

        class Raw(FileDocuments):
            async def put(
                self, document_id: str, text: str, **options: Any
            ) -> tuple[DocumentInfo, bool]:
                try:
                    return await super().put(document_id, text, **options)
                except StoreError as error:
                    raise error.__cause__ or error from None

        attempt = of_documents("commit", monkeypatch, Raw)
        told, _ = everywhere(attempt, tmp_path, once=True, half=False)
        assert "answered by OSError(28, 'No space left on device')" in told


async def sync_faults(folder: Path, fails: int, patch: Patch) -> list[str]:
    """What is wrong behind three writes whose sync has failed, once or more often."""
    memory = FileMemory(folder, "always")
    await memory.put(SCOPE, "k", 1)
    real, asked = os.fdatasync, itertools.count()

    def broken(descriptor: int) -> None:
        if next(asked) < fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    with patch.context() as patched:
        patched.setattr(os, "fdatasync", broken)
        writes = (answer(memory.put(SCOPE, f"k{number}", number)) for number in range(3))
        given = await asyncio.gather(*writes)
    told = [f"{each} was acknowledged" for each in given if not isinstance(each, StoreError)]
    for value, seq in ((1, 1), (2, 5)):
        entry = await memory.get(SCOPE, "k")
        if entry is None or (entry.value, entry.seq) != (value, seq):
            told.append(f"{entry} instead of {value}")
        if value == 1:
            await answer(memory.put(SCOPE, "k", 2))
    await memory.close()
    return [*told, *damaged(folder / "shared" / "all.jsonl")]


class TestSync:
    """Linux tells of a failed sync once: a second one succeeds, and what was lost stays lost."""

    @pytest.mark.parametrize("fails", [1, 100])
    def test_one_that_fails_is_no_acknowledgement(
        self, tmp_path: Path, fails: int, monkeypatch: Patch
    ) -> None:
        assert asyncio.run(sync_faults(tmp_path, fails, monkeypatch)) == []

    @pytest.mark.parametrize("fails", [1, 100])
    def test_a_memory_that_does_not_look_is_found_out(
        self, tmp_path: Path, fails: int, monkeypatch: Patch
    ) -> None:
        real = grouped._sync

        def careless(descriptors: Sequence[int], folders: Sequence[Path]) -> None:
            with suppress(OSError):
                real(descriptors, folders)

        monkeypatch.setattr(grouped, "_sync", careless)
        told = asyncio.run(sync_faults(tmp_path, fails, monkeypatch))
        assert sum(each.endswith("was acknowledged") for each in told) == 3

    def test_a_memory_that_syncs_again_is_found_out(
        self, tmp_path: Path, monkeypatch: Patch
    ) -> None:
        real = grouped._sync

        def stubborn(descriptors: Sequence[int], folders: Sequence[Path]) -> None:
            again = [os.dup(descriptor) for descriptor in descriptors]
            try:
                real(descriptors, folders)
            except OSError:
                real(again, folders)

        monkeypatch.setattr(grouped, "_sync", stubborn)
        told = asyncio.run(sync_faults(tmp_path, 1, monkeypatch))
        assert sum(each.endswith("was acknowledged") for each in told) == 3
