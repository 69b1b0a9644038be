"""Damaged memory files: quarantined, told, refused by the strict, repaired by people."""

from __future__ import annotations

import asyncio
import json
import logging
import stat
from pathlib import Path

import pytest

from scripts.runtime import backupcommand, memorycommand
from scripts.runtime.configuration import load_settings
from scripts.runtime.errors import StoreError
from scripts.runtime.settings import MemorySettings, Settings
from scripts.runtime.stores import quarantine
from scripts.runtime.stores.memory import FileMemory
from scripts.runtime.stores.select import make_memory
from scripts.runtime.stores.verify import reseal, verify

SCOPE = "a:S-1"
NAME = "isolated/a_S-1.jsonl"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three records, the second with a bit flipped."""

    async def run() -> None:
        memory = FileMemory(tmp_path)
        for number in range(3):
            await memory.put(SCOPE, f"k{number}", {"n": number})
        await memory.close()

    asyncio.run(run())
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes().replace(b'{"n":1}', b'{"n":9}'))
    return path


def problems(folder: Path, key: str = "k0") -> dict[str, int]:
    async def run() -> dict[str, int]:
        memory = FileMemory(folder)
        memory.prepare()
        await memory.get(SCOPE, key)
        found = memory.problems
        await memory.close()
        return found

    return asyncio.run(run())


def test_a_damaged_line_is_copied_once_and_told(
    tmp_path: Path, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    line = file.read_bytes().splitlines(keepends=True)[1]
    for _ in range(3):
        assert problems(tmp_path) == {NAME: 1}
    kept = quarantine.of(file)
    assert kept.read_bytes() == line
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert len(caplog.messages) == 3
    assert "byte 1" in caplog.messages[0]
    assert '"n"' not in caplog.text


def test_a_line_without_an_end_is_quarantined_whole(tmp_path: Path, file: Path) -> None:
    quarantine.of(file).unlink(missing_ok=True)
    endless = b"x" * 3_000_000 + b"\n"
    with file.open("ab") as stream:
        stream.write(endless)
    assert problems(tmp_path) == {NAME: 2}
    assert quarantine.of(file).read_bytes().endswith(b"\n" + endless)


def test_the_quarantine_is_told_until_it_is_removed(tmp_path: Path, file: Path) -> None:
    assert problems(tmp_path) == {NAME: 1}
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[::2]))
    assert problems(tmp_path) == {NAME: 1}  # compacted away, say
    quarantine.of(file).unlink()
    assert problems(tmp_path) == {}


def test_strict_does_not_start_on_damage(tmp_path: Path, file: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "isolated").rename(data / "isolated_")
    (data / "memory").mkdir()
    (data / "isolated_").rename(data / "memory" / "isolated")
    lenient = Settings(data_dir=data)
    strict = lenient.model_copy(update={"memory": MemorySettings(strict=True)})
    make_memory(lenient)
    with pytest.raises(StoreError) as caught:
        make_memory(strict)
    assert f"{NAME}: line 2" in caught.value.message
    damaged = data / "memory" / NAME
    reseal(damaged)
    with damaged.open("ab") as stream:
        stream.write(b'{"torn')  # was never acknowledged
    make_memory(strict)


def test_a_backup_may_be_made_and_restored_where_strict_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BMAD_DATA_DIR", raising=False)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "runtime.yaml").write_text("memory: {strict: true}\n")

    async def fill() -> None:
        memory = FileMemory(tmp_path / "memory")
        for number in range(3):
            await memory.put(SCOPE, f"k{number}", {"n": number})
        await memory.close()

    asyncio.run(fill())
    archive = str(tmp_path / "a.zip")
    assert backupcommand.main("backup", tmp_path, [archive]) == 0
    path = tmp_path / "memory" / NAME
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'{"n":1}', b'{"n":9}'))
    with pytest.raises(StoreError, match="restore a backup"):
        make_memory(load_settings(tmp_path, {}))
    assert backupcommand.main("backup", tmp_path, [str(tmp_path / "b.zip")]) == 1
    assert memorycommand.main("memory", tmp_path, ["export", str(tmp_path / "all.jsonl")]) == 1
    assert backupcommand.main("restore", tmp_path, [archive]) == 0
    assert path.read_bytes() == whole
    quarantine.of(path).unlink()
    make_memory(load_settings(tmp_path, {}))


def test_reading_commands_write_nothing_to_a_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full is a reason for a backup."""
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.setenv("BMAD_DATA_DIR", str(data))
    assert backupcommand.main("backup", tmp_path, [str(tmp_path / "a.zip")]) == 0
    assert memorycommand.main("memory", tmp_path, ["export", str(tmp_path / "all.jsonl")]) == 0
    assert list(data.iterdir()) == []


def test_an_edited_line_is_resealed(tmp_path: Path, file: Path) -> None:
    assert problems(tmp_path) == {NAME: 1}
    lines = file.read_text().splitlines()
    edited = {**json.loads(lines[2]), "value": ["by hand", "é"]}
    added = {**json.loads(lines[0]), "key": "added", "seq": 10}
    del added["crc"]
    text = [lines[0], lines[1], json.dumps(edited, indent=None), json.dumps(added)]
    file.write_text("\n".join(text))
    assert reseal(file) == 3
    report = verify(file)
    assert (report.records, report.bad, report.torn, report.quarantined) == (4, [], 0, 0)
    assert problems(tmp_path) == {}

    async def run() -> None:
        memory = FileMemory(tmp_path)
        found = {entry.key: entry.value for entry in await memory.entries(SCOPE)}
        assert found == {"k0": {"n": 0}, "k1": {"n": 9}, "k2": ["by hand", "é"], "added": {"n": 0}}
        assert (await memory.put(SCOPE, "k", 1)).seq == 11
        await memory.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    "change",
    [
        {"seq": 3},
        {"seq": 0},
        {"seq": True},
        {"scope": "b:S-1"},
        {"scope": 'a:S-1","x":"'},
        {"key": "../k"},
        {"op": "drop"},
        {"category": "gossip"},
        {"timestamp": '2026-01-01T00:00:00Z","x":"'},
        {"other": 1},
    ],
)
def test_what_is_no_record_is_not_resealed(
    tmp_path: Path, file: Path, change: dict[str, object]
) -> None:
    lines = file.read_bytes().splitlines()
    edited = {**json.loads(lines[1]), **change}
    edited.pop("crc")
    lines[1] = json.dumps(edited).encode()
    file.write_bytes(b"\n".join(lines) + b"\n")
    before = file.read_bytes()
    assert reseal(file) == 0
    assert file.read_bytes() == before
    assert [bad.number for bad in verify(file).bad] == [2]


def test_numbers_of_damaged_lines_are_not_given_again(tmp_path: Path, file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b'{"n":2}', b'{"n":8}'))

    async def run() -> None:
        memory = FileMemory(tmp_path)
        assert (await memory.put(SCOPE, "k", 1)).seq == 4
        await memory.close()

    asyncio.run(run())
    assert reseal(file) == 2
    assert verify(file).seq == 4


def test_values_are_not_logged(
    tmp_path: Path, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with file.open("ab") as stream:
        stream.write(b'{"key":"secret","value":"a secret')

    async def run() -> None:
        memory = FileMemory(tmp_path)
        await memory.put(SCOPE, "k", 1)
        await memory.close()

    asyncio.run(run())
    assert "dropped" in caplog.text
    assert "secret" not in caplog.text
