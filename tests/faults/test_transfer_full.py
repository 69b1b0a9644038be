"""No room in the middle of an import or a restore: each scope is the old one or the new one."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from scripts.runtime.errors import StoreError
from scripts.runtime.stores import memory
from scripts.runtime.stores.memory import FileMemory
from scripts.runtime.stores.transfer import export_lines, import_file

SCOPES = ("shared:a", "shared:b", "shared:c")
Contents = dict[str, Any]


def fill(folder: Path, word: str) -> None:
    async def run() -> None:
        store = FileMemory(folder)
        for scope in SCOPES:
            for number in range(5):
                await store.put(scope, f"k{number}", f"{word} {number}")
        await store.close()

    asyncio.run(run())


def contents(folder: Path) -> Contents:
    async def run() -> Contents:
        store = FileMemory(folder)
        try:
            found = {scope: await store.dump(scope) for scope in SCOPES}
            assert store.problems == {}
            return found
        finally:
            await store.close()

    return asyncio.run(run())


def full_at(place: int, patch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """From the `place`-th call on there is no room; tells whether that was reached."""
    asked = itertools.count()
    reached = []
    for name in ("write", "fsync", "replace"):
        real = getattr(os, name)

        def call(*arguments: Any, real: Any = real) -> Any:
            if next(asked) >= place:
                reached.append(place)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments)

        patch.setattr(os, name, call)
    return lambda: bool(reached)


async def take(folder: Path, file: Path) -> int:
    """The status of an import."""
    store = FileMemory(folder)
    try:
        await import_file(store, str(file), True, lambda done, of: None)
    except StoreError as error:
        return error.status
    finally:
        await store.close()
    return 200


@pytest.fixture
def exported(tmp_path: Path) -> tuple[Path, Contents]:
    """A file with other values of the same scopes, and what it holds."""
    file, source = tmp_path / "all.jsonl", tmp_path / "source"
    fill(source, "new")
    store = FileMemory(source)
    asyncio.run(export_lines(store, SCOPES, str(file), lambda done, of: None))
    asyncio.run(store.close())
    return file, contents(source)


def faults_at(
    place: int, folder: Path, exported: tuple[Path, Contents], patch: pytest.MonkeyPatch
) -> tuple[bool, list[str]]:
    """Whether an import got so far that there was no room, and what is wrong behind it."""
    file, new = exported
    fill(folder, "old")
    old = contents(folder)
    with patch.context() as patched:
        was_full = full_at(place, patched)
        status = asyncio.run(take(folder, file))
    now = contents(folder)
    told = [scope for scope in SCOPES if now[scope] not in (old[scope], new[scope])]
    if (status == 200 and now != new) or status not in (200, 507):
        told.append(f"it ended with {status}")
    if len(list((folder / "shared").iterdir())) != len(SCOPES):
        told.append("something was left behind")
    if asyncio.run(take(folder, file)) != 200 or contents(folder) != new:
        told.append("it cannot be done again")
    return was_full(), told


def test_an_import_that_finds_no_room_at_any_moment(
    tmp_path: Path, exported: tuple[Path, Contents], monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in itertools.count():
        was_full, told = faults_at(place, tmp_path / str(place), exported, monkeypatch)
        assert told == []
        if not was_full:
            assert place >= 4 * len(SCOPES)
            return


def test_one_that_writes_in_place_is_found_out(
    tmp_path: Path, exported: tuple[Path, Contents], monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_place(path: Path, data: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
        with suppress(OSError):  # and does not look
            os.write(descriptor, data[: len(data) // 2])
            os.write(descriptor, data[len(data) // 2 :])
        os.close(descriptor)

    monkeypatch.setattr(memory, "replace", in_place)
    found = [
        faults_at(place, tmp_path / str(place), exported, monkeypatch)[1] for place in range(6)
    ]
    assert all(found)
