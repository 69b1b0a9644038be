"""Archives that are damaged: refused before anything is written, or nothing of it has changed."""

from __future__ import annotations

import json
import random
import zipfile
import zlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.runtime import backup as backup_module
from scripts.runtime.archive import Archive, Item, read_archive
from scripts.runtime.backup import Stores, restore
from scripts.runtime.errors import ArchiveError
from scripts.runtime.stores.protocol import Entry, Revision
from tests.faults.rounds import ROUNDS
from tests.faults.saved import Saved, contents, fill, saved_in, silent, using

FLIPS = 150 * ROUNDS
CAP = 20  # so many times as many flips are tried until a fault has to be found

Restore = Callable[[Stores, Path, Any], Awaitable[Any]]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    root = tmp_path_factory.mktemp("saved")
    fill(root, "old")
    return saved_in(root)


def flips(whole: bytes, count: int) -> Iterator[bytes]:
    """One bit anywhere is another one."""
    chance = random.Random(7)
    for _ in range(count):
        place = chance.randrange(len(whole))
        flipped = bytes([whole[place] ^ 1 << chance.randrange(8)])
        yield whole[:place] + flipped + whole[place + 1 :]


def others(whole: bytes) -> Iterator[bytes]:
    """Files that end early or are something else."""
    for part in range(1, 6):
        yield whole[: len(whole) * part // 6]
    yield from (b"", b"no zip", b"PK\x03\x04" + whole[4:200])


def judged(folder: Path, saved: Saved, damages: Iterator[bytes], restore: Restore) -> Iterator[str]:
    """What comes of each: it is refused, "" when nothing of it has changed, or what is wrong."""
    folder.mkdir(exist_ok=True)
    path = folder / "damaged.zip"
    for number, damage in enumerate(damages):
        path.write_bytes(damage)
        root = folder / str(number)
        try:
            using(root, lambda stores: restore(stores, path, silent))
        except ArchiveError:
            is_clean = not (root / "memory").exists() or not any((root / "memory").iterdir())
            yield "refused" if is_clean else "refused when something had been written"
        except Exception as fault:  # noqa: BLE001 - which it is, is what is looked at
            yield repr(fault)
        else:
            yield "" if contents(root) == saved.there else "taken, and something has changed"


def test_a_damaged_archive_is_refused_before_anything_is_written(
    tmp_path: Path, saved: Saved
) -> None:
    """A flip that is let through is one of what nobody reads, such as a time in the zip."""
    whole = saved.path.read_bytes()
    found = list(judged(tmp_path, saved, flips(whole, FLIPS), restore))
    assert set(found) <= {"refused", ""}
    assert found.count("refused") > FLIPS * 0.8
    assert set(judged(tmp_path / "others", saved, others(whole), restore)) == {"refused"}


async def lenient(stores: Stores, path: Path, _: Any) -> None:
    """Planted: takes what can be read, and passes over the rest."""
    with read_archive(path) as reader:
        for item in reader.archive.items:
            try:
                if item.kind == "memory":
                    await stores.memory.load(item.name, list(reader.writes(item)))
                else:
                    await stores.documents.load(item.name, list(reader.revisions(item)))
            except ArchiveError:
                continue


def archive_of(path: Path) -> Archive:
    with read_archive(path) as reader:
        return reader.archive


def parts(path: Path, item: Item) -> list[dict[str, Any]]:
    """The lines of a part, whether zip finds it whole or not."""
    with zipfile.ZipFile(path) as file, file.open(item.path) as part:
        part._expected_crc = None  # type: ignore[attr-defined]
        return [json.loads(line) for line in part.read().splitlines()]


def write_in(line: dict[str, Any]) -> Entry:
    names = ("key", "value", "scope", "timestamp", "seq", "op")
    fields: dict[str, Any] = {name: line[name] for name in names}
    return Entry(**fields, category=line.get("category"))


def revision_in(line: dict[str, Any]) -> tuple[Revision, str]:
    names = ("rev", "etag", "time", "size", "author")
    return Revision(*(line[name] for name in names)), line["text"]


async def without_sums(stores: Stores, path: Path, _: Any) -> None:
    """Planted: takes what can be read as JSON, whatever the sums of zip, manifest and lines say."""
    try:
        found = [(item, parts(path, item)) for item in archive_of(path).items]
    except (ValueError, KeyError, TypeError, zlib.error, zipfile.BadZipFile) as error:
        raise ArchiveError(f"{path} is damaged") from error
    for item, lines in found:
        if item.kind == "memory":
            writes = [write_in(line) for line in lines]
            await stores.memory.load(item.name, writes)
        else:
            await stores.documents.load(item.name, [revision_in(line) for line in lines])


async def falling(stores: Stores, path: Path, tell: Any) -> None:
    """Planted: what it cannot read is passed on as it was raised."""
    try:
        await restore(stores, path, tell)
    except ArchiveError as error:
        raise error.__cause__ or error from None


class TestFoundOut:
    """The same with restores that are wrong on purpose: flips until one shows it."""

    def shows(self, folder: Path, saved: Saved, restore: Restore, fault: str) -> bool:
        """Whether it comes to that; while nothing is wrong with an archive that is whole."""
        whole = saved.path.read_bytes()
        assert list(judged(folder / "whole", saved, iter([whole]), restore)) == [""]
        found = judged(folder / "flipped", saved, flips(whole, FLIPS * CAP), restore)
        return any(each.startswith(fault) for each in found)

    def test_one_that_writes_while_it_reads(
        self, tmp_path: Path, saved: Saved, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def unchecked(*_: Any) -> None:
            return

        monkeypatch.setattr(backup_module, "_check", unchecked)
        assert self.shows(tmp_path, saved, restore, "refused when something had been written")

    def test_one_that_takes_what_can_be_read(self, tmp_path: Path, saved: Saved) -> None:
        assert self.shows(tmp_path, saved, lenient, "taken, and something has changed")

    def test_one_without_sums(self, tmp_path: Path, saved: Saved) -> None:
        assert self.shows(tmp_path, saved, without_sums, "taken, and something has changed")

    def test_one_that_falls_over(self, tmp_path: Path, saved: Saved) -> None:
        assert self.shows(tmp_path, saved, falling, "Bad")
