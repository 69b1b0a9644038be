"""Backups: all comes back, and a restore that is killed leaves the old or the new."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from scripts.runtime.archive import read_archive
from scripts.runtime.backup import Stores, check, restore
from scripts.runtime.errors import ArchiveError, StoreError
from scripts.runtime.restoring import MARK, begin, unfinished
from scripts.runtime.settings import RedisSettings
from scripts.runtime.stores.documents import FileDocuments
from scripts.runtime.stores.record import seal
from scripts.runtime.stores.redismemory import RedisMemory
from tests.faults.disk import file_size_limit
from tests.faults.saved import (
    SCOPES,
    Saved,
    backed_up,
    contents,
    fill,
    restored,
    saved_in,
    silent,
    using,
)
from tests.faults.writers import ROOT
from tests.process import free_port


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    root = tmp_path_factory.mktemp("saved")
    fill(root, "old")
    return saved_in(root)


def test_all_comes_back_with_numbers_times_and_authors(tmp_path: Path, saved: Saved) -> None:
    archive, there = saved
    restored(tmp_path, archive)
    assert contents(tmp_path) == there
    assert len(there) == len(SCOPES) + 4


def test_what_is_there_is_replaced_and_the_rest_stays(tmp_path: Path, saved: Saved) -> None:
    archive, there = saved
    fill(tmp_path, "new", writes=30)
    using(tmp_path, lambda stores: stores.memory.put("shared:other", "k", 1))
    using(tmp_path, lambda stores: stores.documents.put("other", "text"))
    before = contents(tmp_path)
    restored(tmp_path, archive)
    assert contents(tmp_path) == {**before, **there}
    assert unfinished(tmp_path / "memory") is None


def test_tools_that_know_zip_and_json_read_it(saved: Saved) -> None:
    with zipfile.ZipFile(saved[0]) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        first = archive.read("memory/isolated/analyst_S-1.jsonl").splitlines()[0]
    assert {"backup.json", "documents/S-1__prd.jsonl", "memory/shared/product.jsonl"} <= set(names)
    assert first.startswith(b'{"key":"k0","value":"old')


def test_an_archive_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"mine")
    with pytest.raises(ArchiveError):
        backed_up(tmp_path, path)
    assert path.read_bytes() == b"mine"


def test_what_cannot_be_read_is_named_and_costs_nothing_else(tmp_path: Path) -> None:
    fill(tmp_path, "new")
    there = contents(tmp_path)
    (tmp_path / "docs" / "S-1__prd.md").write_bytes(b"caf\xe9")
    memory = tmp_path / "memory" / "shared" / "product.jsonl"
    memory.rename(tmp_path / "away.jsonl")
    memory.symlink_to(tmp_path / "away.jsonl")
    archive = backed_up(tmp_path, tmp_path / "a.zip")
    assert archive.left_out == (
        "shared:product is left out: memory cannot be opened: product.jsonl: it is a link",
        "S-1__prd is left out: S-1__prd.md is not UTF-8, or too large",
    )
    restored(tmp_path / "in", tmp_path / "a.zip")
    left = contents(tmp_path / "in")
    assert left == {name: held for name, held in there.items() if name in left}
    assert len(left) == len(there) - 2


def test_where_nothing_can_be_read_there_is_no_backup(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "prd.md").write_bytes(b"caf\xe9")
    with pytest.raises(StoreError, match=r"nothing can be read: prd is left out: prd\.md is not"):
        backed_up(tmp_path, tmp_path / "a.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["docs"]


def test_a_file_that_was_written_anew_is_not_what_the_manifest_names(
    tmp_path: Path, saved: Saved
) -> None:
    """A whole zip of whole lines, each with its own checksum, but not those of the backup."""
    edited = "memory/shared/product.jsonl"
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(saved[0]) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            lines = source.read(name).splitlines(keepends=True)
            if name == edited:
                text = lines[0].partition(b',"crc"')[0].replace(b"old", b"odd") + b"}"
                lines[0] = seal(text.decode())
            target.writestr(name, b"".join(lines))
    with pytest.raises(ArchiveError, match=edited):
        restored(tmp_path / "in", path)
    assert not (tmp_path / "in").exists()


def test_an_archive_of_another_format_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as target:
        target.writestr("backup.json", '{"format": "bmad2pf-backup/2", "items": []}')
    with pytest.raises(ArchiveError, match=r"a\.zip has the format 'bmad2pf-backup/2'"):
        asyncio.run(check(path, silent))


def test_a_zip_of_something_else_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as target:
        target.writestr("S-1/prd.md", "# A document")
    with pytest.raises(ArchiveError, match=r"a\.zip is no backup"):
        asyncio.run(check(path, silent))


def test_where_there_is_no_room_for_a_mark_nothing_has_begun(tmp_path: Path, saved: Saved) -> None:
    folder = tmp_path / "memory"
    for earlier in (None, "the restore of old.zip"):
        if earlier:
            begin(folder, "old.zip")
        with file_size_limit(0), pytest.raises(StoreError) as caught:
            restored(tmp_path, saved[0])
        assert caught.value.status in (503, 507)
        with file_size_limit(0), pytest.raises(StoreError) as caught:
            begin(folder, "new.zip")
        assert caught.value.status == 507
        told = unfinished(folder)
        assert (told or "").startswith(earlier or "") is True
        assert (told is None) is (earlier is None)
        assert [path.name for path in folder.iterdir()] == ([MARK] if earlier else [])


def test_a_restore_into_a_store_that_is_not_there_has_not_begun(
    tmp_path: Path, saved: Saved
) -> None:
    async def run() -> None:
        memory = RedisMemory(
            RedisSettings.model_validate({"url": f"redis://127.0.0.1:{free_port()}"})
        )
        stores = Stores(memory, FileDocuments(tmp_path / "docs"), tmp_path / "memory")
        with pytest.raises(StoreError) as caught:
            await restore(stores, saved[0], silent)
        assert caught.value.status == 503
        await memory.close()

    asyncio.run(run())
    assert unfinished(tmp_path / "memory") is None


RESTORE = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.faults.saved import restore, using
left = int(sys.argv[3])
def tell(what, done, of):
    if what == "restoring" and done > left:
        os.kill(os.getpid(), signal.SIGKILL)
using(Path(sys.argv[1]), lambda stores: restore(stores, Path(sys.argv[2]), tell))
"""


def neither(
    now: dict[str, Any], before: dict[str, Any], there: dict[str, Any], after: int
) -> list[str]:
    """What is neither as it was nor as it shall be, when `after` of them were restored."""
    wrong = [name for name in before if now.get(name) not in (before[name], there[name])]
    new = [name for name in now if now[name] == there[name]]
    return wrong if len(new) == after else [*wrong, f"{len(new)} instead of {after} are restored"]


def test_a_restore_that_mixes_old_and_new_is_found_out(tmp_path: Path, saved: Saved) -> None:
    """The planted fault: it adds to what is there, one write after another."""
    archive, there = saved
    fill(tmp_path, "new", writes=20)
    before = contents(tmp_path)

    async def naive(stores: Stores) -> None:
        with read_archive(archive) as reader:
            for item in reader.archive.items[:3]:
                for each in reader.writes(item):
                    await stores.memory.put(item.name, each.key, each.value)

    using(tmp_path, naive)
    assert len(neither(contents(tmp_path), before, there, 3)) == 4


@pytest.mark.parametrize("after", [0, 3, 7])
def test_a_killed_restore_leaves_the_old_or_the_new_and_says_so(
    tmp_path: Path, saved: Saved, after: int
) -> None:
    archive, there = saved
    fill(tmp_path, "new", writes=20)
    before = contents(tmp_path)
    command = [sys.executable, "-c", RESTORE, str(tmp_path), str(archive), str(after)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert neither(contents(tmp_path), before, there, after) == []
    assert "did not end" in (unfinished(tmp_path / "memory") or "")
    restored(tmp_path, archive)
    assert contents(tmp_path) == there
    assert not (tmp_path / "memory" / MARK).exists()
