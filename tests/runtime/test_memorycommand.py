"""`python -m generated memory …`, as an operator types it."""

from __future__ import annotations

import asyncio
import io
import json
import re
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.runtime import backupcommand, memorycommand
from scripts.runtime.errors import BMADError, StoreError
from scripts.runtime.stores.memory import FileMemory
from scripts.runtime.stores.protocol import Entry
from scripts.runtime.stores.verify import refuse_damage
from tests.redis_server import redis_server

Told = Callable[..., tuple[int, list[str], list[str]]]
SCOPES = ("a:S_1", "shared:notes")


def fill(folder: Path) -> None:
    async def run() -> None:
        memory = FileMemory(folder)
        for scope in SCOPES:
            await memory.put(scope, "k", {"é": [1, None]}, category="collaboration")
            await memory.put(scope, "gone", "x" * 100)
            await memory.delete(scope, "gone")
        await memory.close()

    asyncio.run(run())


def dumped(folder: Path) -> dict[str, tuple[int, list[Entry]]]:
    async def run() -> dict[str, tuple[int, list[Entry]]]:
        memory = FileMemory(folder)
        try:
            return {scope: await memory.dump(scope) for scope in await memory.scopes()}
        finally:
            await memory.close()

    return asyncio.run(run())


@pytest.fixture
def told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Told:
    """Run a command in `tmp_path`: its exit code, lines on stdout, lines on stderr."""
    fill(tmp_path / "memory")

    def run(*arguments: object, root: Path = tmp_path) -> tuple[int, list[str], list[str]]:
        code = memorycommand.main("memory", root, [str(word) for word in arguments])
        out, err = capsys.readouterr()
        return code, out.splitlines(), err.splitlines()

    return run


def test_verify_tells_of_each_file(told: Told, tmp_path: Path) -> None:
    code, lines, _ = told("verify")
    assert code == 0
    assert lines[0].startswith("isolated/a_S%5F1.jsonl: 3 records, 1 key, ")
    assert lines[-1] == "2 files, 6 records, 0 damaged lines, 0 in quarantine"
    file = tmp_path / "memory" / "shared" / "notes.jsonl"
    file.write_bytes(file.read_bytes().replace(b"xxx", b"xxy", 1) + b'{"torn')
    code, lines, _ = told("verify")
    assert code == 1
    second = file.read_bytes().index(b"\n") + 1
    assert [line for line in lines if line.startswith("  ")] == [
        f"  line 2, byte {second}: the checksum does not fit",
        "  6 bytes of a write that is not finished, at the end",
    ]


def test_a_link_is_not_taken_for_an_empty_file(told: Told, tmp_path: Path) -> None:
    file = tmp_path / "memory" / "shared" / "notes.jsonl"
    file.rename(tmp_path / "elsewhere.jsonl")
    file.symlink_to(tmp_path / "elsewhere.jsonl")
    before = (tmp_path / "elsewhere.jsonl").read_bytes()
    for command in (["verify"], ["verify", "--reseal"]):
        code, lines, _ = told(*command)
        assert code == 1
        assert "  it is a link, or no file: nothing of it can be used" in lines
        assert lines[-1].endswith("0 damaged lines, 0 in quarantine, 1 file that cannot be used")
    is_link = "notes.jsonl: it is a link"
    code, _, errors = told("compact")
    assert (code, errors) == (1, [f"memory cannot be opened: {is_link}"])
    with pytest.raises(StoreError, match=is_link):
        told("export", tmp_path / "all.jsonl")
    with pytest.raises(StoreError, match=r"notes\.jsonl: it is a link"):
        refuse_damage(tmp_path / "memory")
    assert (tmp_path / "elsewhere.jsonl").read_bytes() == before


def test_verify_accepts_what_was_edited(told: Told, tmp_path: Path) -> None:
    file = tmp_path / "memory" / "shared" / "notes.jsonl"
    file.write_bytes(file.read_bytes().replace(b"xxx", b"xxy", 1))
    code, lines, _ = told("verify", "--reseal")
    assert (code, "  1 line resealed" in lines) == (0, True)
    assert told("verify")[0] == 0


def test_compact(told: Told, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "runtime.yaml").write_text("memory: {history: 1}\n")
    code, lines, _ = told("compact")
    assert code == 0
    *files, all_of_them = lines
    assert [line.split(":")[0] for line in files] == ["a_S%5F1.jsonl", "notes.jsonl"]
    assert re.fullmatch(r"2 files, \d+ bytes freed", all_of_them)
    assert told("compact") == (0, ["2 files, 0 bytes freed"], [])
    assert told("verify")[1][-1].startswith("2 files, 4 records")


def test_export_and_import(told: Told, tmp_path: Path) -> None:
    file, other = tmp_path / "all.jsonl", tmp_path / "other"
    code, out, err = told("export", file)
    assert (code, out, err) == (0, [], ["exported 6 writes of 2 scopes"])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first = json.loads(file.read_text().splitlines()[0])
    assert list(first) == ["scope", "key", "value", "category", "timestamp", "op", "seq"]
    other.mkdir()
    code, _, err = told("import", file, root=other)
    assert (code, err) == (0, ["imported 6 writes of 2 scopes into memory in file"])
    assert dumped(other / "memory") == dumped(tmp_path / "memory")
    with pytest.raises(BMADError, match="there already"):
        told("export", file)


def test_from_files_to_redis_and_back(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, back = tmp_path / "1.jsonl", tmp_path / "2.jsonl", tmp_path / "back"
    told("export", first)
    with redis_server(tmp_path / "redis") as server, monkeypatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        code, _, err = told("import", first)
        assert (code, err) == (0, ["imported 6 writes of 2 scopes into memory in redis"])
        assert told("import", first)[0] == 1
        assert told("export", second)[0] == 0
    assert second.read_bytes() == first.read_bytes()
    back.mkdir()
    assert told("import", second, root=back)[0] == 0
    assert dumped(back / "memory") == dumped(tmp_path / "memory")


def test_one_scope_through_pipes(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, lines, _ = told("export", "--scope", "shared:notes")
    assert (code, len(lines)) == (0, 3)
    piped = io.TextIOWrapper(io.BytesIO("\n".join(lines).encode()))
    monkeypatch.setattr(sys, "stdin", piped)
    other = tmp_path / "other"
    other.mkdir()
    assert told("import", "-", root=other)[0] == 0
    assert list(dumped(other / "memory")) == ["shared:notes"]


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ("a:S_2", "a:S_2 holds nothing, and nothing was exported (did you mean a:S_1?)"),
        ("nobody", "scope should be {agent_id}:{story_id} or shared:{namespace}"),
    ],
)
def test_a_scope_that_holds_nothing_is_not_exported(
    told: Told, tmp_path: Path, scope: str, said: str
) -> None:
    file = tmp_path / "one.jsonl"
    with pytest.raises(BMADError) as caught:
        told("export", "--scope", "shared:notes", "--scope", scope, file)
    assert caught.value.message == said
    assert not file.exists()


def test_a_file_that_is_not_there_is_named(told: Told, tmp_path: Path) -> None:
    with pytest.raises(BMADError) as caught:
        told("import", tmp_path / "nope.jsonl")
    assert caught.value.message == f"{tmp_path / 'nope.jsonl'}: No such file or directory"


@pytest.mark.parametrize("command", [["verify"], ["compact"], ["export", "all.jsonl"]])
def test_a_data_folder_that_is_not_there_is_no_empty_one(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    away = tmp_path / "away"
    monkeypatch.setenv("BMAD_DATA_DIR", str(away))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match=r"the data folder .*away is not there"):
        told(*command)
    with pytest.raises(StoreError, match=r"the data folder .*away is not there"):
        backupcommand.main("backup", tmp_path, ["all.zip"])
    assert not {"away", "all.jsonl", "all.zip"} & {path.name for path in tmp_path.iterdir()}


def test_import_asks_before_it_replaces(told: Told, tmp_path: Path) -> None:
    file = tmp_path / "all.jsonl"
    told("export", file)
    fill(tmp_path / "memory")
    code, _, err = told("import", file)
    assert code == 1
    assert err[0].startswith("nothing was imported: 2 of these scopes hold something")
    assert dumped(tmp_path / "memory")["a:S_1"][0] == 6
    assert told("import", "--replace", file)[0] == 0
    assert dumped(tmp_path / "memory")["a:S_1"][0] == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scope": "nobody"}, "scope should be"),
        ({"key": "../k"}, "key should be"),
        ({"key": 5}, "should be texts"),
        ({"category": "gossip"}, "category should be"),
        ({"timestamp": 'x","y":"'}, "timestamp should be"),
        ({"op": "drop"}, "op set or delete"),
        ({"seq": 0}, "seq should be"),
        ({"seq": "1"}, "seq should be"),
        ({"value": float("nan")}, "value should be"),
        ({"more": 1}, "should be an object of"),
    ],
)
def test_nothing_is_imported_of_a_bad_file(
    told: Told, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    file, other = tmp_path / "all.jsonl", tmp_path / "other"
    other.mkdir()
    told("export", file)
    lines = file.read_text().splitlines()
    lines[-1] = json.dumps({**json.loads(lines[-1]), **change})
    file.write_text("\n".join(lines))
    code, _, err = told("import", file, root=other)
    assert code == 1
    assert err[0].startswith(f"{file}:6: ")
    assert said in err[0]
    assert dumped(other / "memory") == {}


def test_writes_of_a_scope_stand_together_and_rise(told: Told, tmp_path: Path) -> None:
    file, other = tmp_path / "all.jsonl", tmp_path / "other"
    other.mkdir()
    told("export", file)
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines, lines[0]]))
    assert "stand together" in told("import", file, root=other)[2][0]
    file.write_text("\n".join([lines[1], lines[0]]))
    assert "seq should rise" in told("import", file, root=other)[2][0]


def test_export_tells_what_is_damaged(told: Told, tmp_path: Path) -> None:
    damaged = tmp_path / "memory" / "shared" / "notes.jsonl"
    damaged.write_bytes(damaged.read_bytes().replace(b"xxx", b"xxy", 1))
    code, lines, err = told("export")
    assert (code, len(lines)) == (1, 5)
    assert err[0] == "shared/notes.jsonl: 1 damaged line left out, see verify"


def test_only_files_are_verified(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMORY_BACKEND", "redis")
    for command in ("verify", "compact"):
        with pytest.raises(BMADError, match="redis"):
            told(command)
