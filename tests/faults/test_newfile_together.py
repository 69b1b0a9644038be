"""Two backups or exports to one name, and one that is killed: whole or not there, never mixed."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import BinaryIO

import pytest

from scripts.runtime import archive
from scripts.runtime.backup import Stores, back_up
from scripts.runtime.errors import ArchiveError
from scripts.runtime.stores import transfer
from scripts.runtime.stores.documents import FileDocuments
from scripts.runtime.stores.memory import FileMemory
from scripts.runtime.stores.newfile import new_file
from tests.faults.writers import ROOT

SCOPE = "shared:all"
REFUSED = 2
KINDS = ("backup", "export")
COUNTS = {"long": 300, "short": 20}  # writes
PROGRAM = """
import sys
from tests.faults.test_newfile_together import write
sys.exit(write(*sys.argv[1:]))
"""


@contextmanager
def one_part(path: Path) -> Iterator[BinaryIO]:
    """Planted: all who write a file of this name write the same one first."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as stream:
        yield stream
    part.rename(path)


@contextmanager
def in_place(path: Path) -> Iterator[BinaryIO]:
    """Planted: it has its name from the beginning."""
    with path.open("wb") as stream:
        yield stream


@contextmanager
def over_others(path: Path) -> Iterator[BinaryIO]:
    """Planted: what has come there meanwhile is replaced."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with part.open("wb") as stream:
        yield stream
    part.replace(path)


FAULTS = {"one_part": one_part, "in_place": in_place, "over_others": over_others}


def write(kind: str, source: str, target: str, fault: str) -> int:
    """In a process of its own: says when it has begun, and ends when it is told to."""
    transfer.new_file = archive.new_file = FAULTS.get(fault, new_file)  # type: ignore[attr-defined]

    def halt(*_: object) -> None:
        sys.stdout.write("begun\n")
        sys.stdout.flush()
        sys.stdin.readline()

    async def run() -> None:
        memory = FileMemory(Path(source))
        try:
            if kind == "export":
                await transfer.export_lines(memory, [SCOPE], target, halt)
            else:
                documents = FileDocuments(Path(source, "docs"))
                await back_up(Stores(memory, documents, Path(source)), Path(target), halt)
        finally:
            await memory.close()

    try:
        asyncio.run(run())
    except (FileExistsError, ArchiveError):
        return REFUSED
    return 0


def begun(kind: str, source: Path, target: Path, fault: str) -> subprocess.Popen[str]:
    """A process that has opened its file, and waits."""
    command = [sys.executable, "-c", PROGRAM, kind, str(source), str(target), fault]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def ended(process: subprocess.Popen[str]) -> int:
    process.communicate("\n")
    return process.returncode


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two memories, whose files differ in size."""

    async def fill(folder: Path, count: int) -> Path:
        memory = FileMemory(folder)
        for number in range(count):
            await memory.put(SCOPE, f"k{number}", f"{folder.name} {number}")
        await memory.close()
        return folder

    return [
        asyncio.run(fill(tmp_path_factory.mktemp(name), count)) for name, count in COUNTS.items()
    ]


def lines(path: Path) -> list[str]:
    """The writes that a backup or an export holds, whichever of the two it is."""
    if not zipfile.is_zipfile(path):
        return path.read_text().splitlines()
    with zipfile.ZipFile(path) as file:
        return file.read("memory/shared/all.jsonl").decode().splitlines()


def together(kind: str, sources: list[Path], folder: Path, fault: str = "none") -> list[str]:
    """What is wrong behind two that wrote to one name at the same time."""
    folder.mkdir()
    target = folder / "all"
    processes = [begun(kind, source, target, fault) for source in sources]
    codes = [ended(process) for process in processes]
    told = [] if sorted(codes) == [0, REFUSED] else [f"they ended with {codes}"]
    if [path.name for path in folder.iterdir()] != ["all"]:
        return [*told, "there is not the one file, and nothing else"]
    name = sources[codes.index(0)].name if 0 in codes else ""
    try:
        found = lines(target)
    except (ValueError, zipfile.BadZipFile) as error:
        return [*told, f"it is damaged: {error}"]
    if len(found) != COUNTS.get(name.rstrip("0123456789")) or not all(
        f'"{name} ' in line for line in found
    ):
        told.append("it is not what the one that was not refused has written")
    return told


def killed(kind: str, source: Path, folder: Path, fault: str = "none") -> list[str]:
    """What is wrong behind one that was killed amid its writing."""
    folder.mkdir()
    target = folder / "all"
    process = begun(kind, source, target, fault)
    process.kill()
    process.communicate()
    told = ["something has the name"] if target.exists() else []
    if not all(fnmatch(path.name, "all.?*.part") for path in folder.iterdir()):
        told.append("what is left cannot be told")
    if ended(begun(kind, source, target, fault)) != 0 or len(lines(target)) != 300:
        told.append("it cannot be done again")
    return told


@pytest.mark.parametrize("kind", KINDS)
def test_two_at_the_same_time_do_not_mix(kind: str, sources: list[Path], tmp_path: Path) -> None:
    for number, order in enumerate((sources, sources[::-1])):
        assert together(kind, order, tmp_path / str(number)) == []


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", KINDS)
def test_two_that_mix_are_found_out(
    kind: str, fault: str, sources: list[Path], tmp_path: Path
) -> None:
    assert together(kind, sources, tmp_path / "it", fault) != []


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_is_killed_leaves_nothing_of_that_name(
    kind: str, sources: list[Path], tmp_path: Path
) -> None:
    assert killed(kind, sources[0], tmp_path / "it") == []


@pytest.mark.parametrize("fault", ["one_part", "in_place"])
@pytest.mark.parametrize("kind", KINDS)
def test_one_that_is_killed_amid_the_name_is_found_out(
    kind: str, fault: str, sources: list[Path], tmp_path: Path
) -> None:
    assert killed(kind, sources[0], tmp_path / "it", fault) != []


@pytest.mark.parametrize("links", [True, False])
def test_where_files_have_one_name_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, links: bool
) -> None:
    """As on FAT: the name is given by a rename then, and not if it is taken."""

    def refuse(path: Path, target: Path) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    if not links:
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    path = tmp_path / "file"

    def both() -> None:
        with new_file(path) as one:
            with new_file(path) as two:
                two.write(b"two")
            one.write(b"one")

    with pytest.raises(FileExistsError):
        both()
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    def half() -> None:
        with new_file(tmp_path / "file") as stream:
            stream.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named_as_it_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "none" / "file"
    with pytest.raises(FileNotFoundError) as caught, new_file(path):
        pytest.fail("it cannot be opened")
    assert caught.value.filename == str(path)
