"""No room for a backup or a restore: no file is left, and what was begun can be done again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from scripts.runtime import archive as archive_module
from scripts.runtime import restoring
from scripts.runtime.archive import read_archive
from scripts.runtime.backup import Stores, restore
from scripts.runtime.errors import StoreError
from scripts.runtime.restoring import unfinished
from tests.faults.disk import file_size_limit
from tests.faults.saved import Saved, backed_up, contents, fill, restored, saved_in, silent, using

Restore = Callable[[Stores, Path, Any], Awaitable[Any]]
SIZES = (0, 300, 2000)  # bytes that a file may have
ROOM = 6000  # likewise: a restore begins, since what it tries first is smaller


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """With one scope in its middle that is larger than the others."""
    root = tmp_path_factory.mktemp("saved")
    fill(root, "old")
    using(root, lambda stores: stores.memory.put("critic:S-1", "large", "x" * 2 * ROOM))
    return saved_in(root)


def status_of(call: Callable[[], Any]) -> int | str:
    """Of the fault; the fault itself where it has none, 200 for none."""
    try:
        call()
    except StoreError as fault:
        return fault.status
    except Exception as fault:  # noqa: BLE001 - which it is, is what is looked at
        return repr(fault)
    return 200


def backup_faults(root: Path, size: int) -> list[str]:
    """What is wrong behind a backup that found no room."""
    fill(root, "word", writes=60)
    path = root / "a.zip"
    with file_size_limit(size):
        status = status_of(lambda: backed_up(root, path))
    told = [] if status == 507 else [f"it ended with {status}"]
    left = sorted({each.name for each in root.iterdir()} - {"docs", "memory"})
    told += [f"{name} is left" for name in left]
    status = status_of(lambda: backed_up(root, path))
    if status != 200:
        return [*told, f"it cannot be done again: {status}"]
    restored(root / "in", path)
    return told if contents(root / "in") == contents(root) else [*told, "it is not all there"]


@pytest.mark.parametrize("size", SIZES)
def test_a_full_disk_leaves_no_archive(tmp_path: Path, size: int) -> None:
    assert backup_faults(tmp_path, size) == []


@contextmanager
def in_place(path: Path) -> Iterator[BinaryIO]:
    """Planted: the file has its name from the beginning."""
    with path.open("xb") as stream:
        yield stream


@contextmanager
def untidy(path: Path) -> Iterator[BinaryIO]:
    """Planted: what is not finished stays."""
    part = path.with_name("a.zip.part")
    with part.open("wb") as stream:
        yield stream
    part.rename(path)


@contextmanager
def blind(path: Path) -> Iterator[BinaryIO]:
    """Planted: a fault of the disk counts as none."""
    with path.open("xb", buffering=0) as stream, suppress(OSError):
        yield stream


@pytest.mark.parametrize(
    ("fault", "told"),
    [(in_place, "a.zip is left"), (untidy, "a.zip.part is left"), (blind, "it ended with 200")],
)
@pytest.mark.parametrize("size", SIZES)
def test_a_backup_that_leaves_a_file_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Any, told: str, size: int
) -> None:
    monkeypatch.setattr(archive_module, "new_file", fault)
    assert any(each.startswith(told) for each in backup_faults(tmp_path, size))


def restore_faults(root: Path, saved: Saved, restore: Restore) -> list[str]:
    """What is wrong behind a restore that found no room in its middle."""
    fill(root, "new", writes=20)
    before = contents(root)

    def again() -> None:
        using(root, lambda stores: restore(stores, saved.path, silent))

    with file_size_limit(ROOM):
        status = status_of(again)
    told = [] if status == 507 else [f"it ended with {status}"]
    now = contents(root)
    if not any(now[name] == saved.there[name] for name in before):
        told.append("it has not begun")
    told += [
        f"{name} is neither old nor new"
        for name in before
        if now[name] not in (before[name], saved.there[name])
    ]
    if "did not end" not in (unfinished(root / "memory") or ""):
        told.append("it does not say that it did not end")
    if status_of(again) != 200 or contents(root) != saved.there:
        told.append("it cannot be done again")
    if unfinished(root / "memory") is not None:
        told.append("it says that it did not end")
    return told


def test_a_restore_without_room_says_so_and_can_be_done_again(tmp_path: Path, saved: Saved) -> None:
    assert restore_faults(tmp_path, saved, restore) == []


class TestFoundOut:
    """The same with restores that are wrong on purpose."""

    def test_one_that_leaves_no_mark(
        self, tmp_path: Path, saved: Saved, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(restoring, "begin", lambda folder, name: None)
        told = restore_faults(tmp_path, saved, restore)
        assert told == ["it does not say that it did not end"]

    def test_one_whose_mark_stays(
        self, tmp_path: Path, saved: Saved, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(restoring, "end", lambda folder: None)
        assert restore_faults(tmp_path, saved, restore) == ["it says that it did not end"]

    def test_one_that_passes_over_what_is_there(self, tmp_path: Path, saved: Saved) -> None:
        async def skipping(stores: Stores, path: Path, _: Any) -> None:
            restoring.begin(stores.folder, path.name)
            with read_archive(path) as reader:
                for item in reader.archive.items:
                    if item.kind == "memory" and not await stores.memory.entries(item.name):
                        await stores.memory.load(item.name, list(reader.writes(item)))
            restoring.end(stores.folder)

        assert "it cannot be done again" in restore_faults(tmp_path, saved, skipping)

    def test_one_that_adds_to_what_is_there(self, tmp_path: Path, saved: Saved) -> None:
        async def adding(stores: Stores, path: Path, _: Any) -> None:
            restoring.begin(stores.folder, path.name)
            with read_archive(path) as reader:
                for item in reader.archive.items:
                    if item.kind == "memory":
                        for each in reader.writes(item):
                            await stores.memory.put(item.name, each.key, each.value)
            restoring.end(stores.folder)

        assert "it cannot be done again" in restore_faults(tmp_path, saved, adding)
