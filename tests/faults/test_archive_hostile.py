"""Archives that someone has made to do harm: whole zips, whose sums all fit."""

from __future__ import annotations

import asyncio
import hashlib
import json
import tracemalloc
import zipfile
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scripts.runtime import archive as archive_module
from scripts.runtime.archive import FORMAT, MANIFEST
from scripts.runtime.backup import Stores, check, restore
from scripts.runtime.errors import ArchiveError
from scripts.runtime.restoring import unfinished
from scripts.runtime.stores.protocol import Revision
from scripts.runtime.stores.record import decode, seal, unseal
from tests.faults.saved import contents, silent, using

TIME = "2026-01-01T00:00:00.000Z"
MEMORY = "memory/shared/a.jsonl"
DOCUMENT = "documents/d.jsonl"

Manifest = dict[str, Any]


def write(value: str = "1", **fields: str) -> bytes:
    """A sealed record, whatever is in it."""
    whole = {"key": "k", "scope": "shared:a", "time": TIME, "seq": "1", **fields}
    return seal(
        '{{"key":"{key}","value":{value},"scope":"{scope}","timestamp":"{time}",'
        '"op":"set","seq":{seq}}}'.format(value=value, **whole)
    )


def revision(**fields: Any) -> bytes:
    """A sealed revision, likewise."""
    whole = {"rev": 1, "etag": '"x"', "time": TIME, "size": 1, "author": {"kind": "unknown"}}
    return seal(json.dumps({**whole, "text": "x", **fields}))


def item(path: str, lines: Sequence[bytes]) -> Manifest:
    kind, name = ("memory", "shared:a") if path == MEMORY else ("document", "d")
    digest = hashlib.sha256(b"".join(lines)).hexdigest()
    return {
        "kind": kind,
        "name": name,
        "at": 1,
        "lines": len(lines),
        "path": path,
        "sha256": digest,
    }


def archive(
    path: Path,
    lines: Sequence[bytes] = (write(),),
    revisions: Sequence[bytes] = (revision(),),
    change: Callable[[Manifest], Any] = lambda manifest: manifest,
    compression: int = zipfile.ZIP_DEFLATED,
) -> Path:
    """One scope and one document, with a manifest that fits them before `change`."""
    parts = {MEMORY: lines, DOCUMENT: revisions}
    items = [item(name, data) for name, data in parts.items()]
    head = {"format": FORMAT, "made_at": TIME, "version": "1", "backend": "file"}
    with zipfile.ZipFile(path, "w", compression) as target:
        for name, data in parts.items():
            target.writestr(name, b"".join(data))
        target.writestr(MANIFEST, json.dumps(change({**head, "items": items})))
    return path


def changed(place: int = 0, **fields: Any) -> Callable[[Manifest], Manifest]:
    """A manifest, one of whose items says something else."""

    def change(manifest: Manifest) -> Manifest:
        items = [dict(each) for each in manifest["items"]]
        items[place] |= fields
        return {**manifest, "items": items}

    return change


LINES = {
    "not a number": write("NaN"),
    "infinite": write("1e999"),
    "nested too deep": write("[" * 500 + "]" * 500),
    "half a character": write('"\\ud800"'),
    "too large": write('"' + "x" * 2_000_000 + '"'),
    "no time": write(time="yesterday"),
    "a key that leads out": write(key="../../x"),
    "no number": write(seq="0"),
    "another's": write(scope="shared:b"),
}
REVISIONS = {
    "no time": revision(time="yesterday"),
    "a thirteenth month": revision(time="2026-13-01T00:00:00Z"),
    "a time of nowhere": revision(time="2026-01-01"),
    "number 0": revision(rev=0),
    "a number without end": revision(rev=10**40),
    "no author": revision(author={}),
    "an author that is a tree": revision(author={"kind": {"a": [1]}}),
    "half a character": revision(text="\ud800"),
    "too large": revision(text="x" * (17 * 2**20)),
    "a text that is a number": revision(text=1),
    "a field more": revision(more=1),
}
MANIFESTS: dict[str, Callable[[Manifest], Any]] = {
    "a scope that leads out": changed(name="shared:../../x"),
    "a document that leads out": changed(1, name="../../x"),
    "a path that leads out": changed(path="../../x"),
    "a path of another": changed(path=DOCUMENT),
    "a path that is none": changed(path=5),
    "a name that is none": changed(name=5),
    "a name that is a list": changed(name=["shared:a"]),
    "a kind that is none": changed(kind="code"),
    "a count that is a text": changed(lines="1"),
    "another count": changed(lines=2),
    "another sum": changed(sha256="0" * 64),
    "the same twice": lambda manifest: {**manifest, "items": manifest["items"] * 2},
    "one too few": lambda manifest: {**manifest, "items": manifest["items"][:1]},
    "a field more": changed(more=1),
    "no items": lambda manifest: {**manifest, "items": None},
    "a list": lambda manifest: [manifest],
    "a text": lambda manifest: "backup",
    "nested without end": lambda manifest: json.loads("[" * 900 + "]" * 900),
    "a time that is a tree": lambda manifest: {**manifest, "made_at": {"a": 1}},
}


Restore = Callable[[Stores, Path, Any], Awaitable[Any]]


def bare(root: Path, restore: Restore, path: Path) -> None:
    """Restore into folders that are not there yet."""
    using(root, lambda stores: restore(stores, path, silent))


def taken(root: Path, path: Path, check: Any = check, restore: Restore = restore) -> list[str]:
    """What is wrong with how it is checked and restored: both refuse it, and write nothing."""
    told = []
    before = {each for each in root.parent.rglob("*") if each != root}
    for name, call in (
        ("check", lambda: asyncio.run(check(path, silent))),
        ("restore", lambda: bare(root, restore, path)),
    ):
        try:
            call()
        except ArchiveError:
            continue
        except Exception as fault:  # noqa: BLE001 - which it is, is what is looked at
            told.append(f"{name}: {fault!r:.200}")
        else:
            told.append(f"{name}: it is taken")
    if root.exists():
        told.append("something was written")
    if {each for each in root.parent.rglob("*") if root not in (each, *each.parents)} != before:
        told.append("something was written elsewhere")
    return told


def link(path: Path) -> Path:
    archive(path)
    info = zipfile.ZipInfo("memory/shared/link.jsonl")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as target:
        target.writestr(info, "../../../etc/passwd")
    return path


def leading_out(path: Path) -> Path:
    """A file besides, whose own name leads out of any folder that it is unpacked in."""
    archive(path)
    with zipfile.ZipFile(path, "a") as target:
        target.writestr("../outside", "x")
    return path


# Each makes an archive at a path.
HOSTILE: dict[str, Callable[[Path], Path]] = {
    **{f"a write: {name}": partial(archive, lines=[line]) for name, line in LINES.items()},
    **{f"a revision: {name}": partial(archive, revisions=[r]) for name, r in REVISIONS.items()},
    **{f"a manifest: {name}": partial(archive, change=c) for name, c in MANIFESTS.items()},
    "writes whose numbers do not rise": partial(archive, lines=[write(), write()]),
    "revisions whose numbers do not rise": partial(archive, revisions=[revision(), revision()]),
    "bzip2": partial(archive, compression=zipfile.ZIP_BZIP2),
    "lzma": partial(archive, compression=zipfile.ZIP_LZMA),
    "a link": link,
    "a name that leads out": leading_out,
}


def test_the_same_without_harm_is_restored(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip")
    using(tmp_path / "in", lambda stores: restore(stores, path, silent))
    assert contents(tmp_path / "in").keys() == {"shared:a", "d"}
    assert unfinished(tmp_path / "in" / "memory") is None


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    assert taken(tmp_path / "in", HOSTILE[name](tmp_path / "a.zip")) == []


def most_of(path: Path) -> int:
    """The most memory that was taken to refuse it, in bytes."""
    tracemalloc.start()
    try:
        assert taken(path.parent / "in", path) == []
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def endless(path: Path) -> Path:
    """A line that takes 64 KiB in the file and 64 MiB out of it."""
    return archive(path, lines=[b"x" * 2**26])


def test_a_line_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    assert most_of(endless(tmp_path / "a.zip")) < 2**24


class TestFoundOut:
    """The same with what is wrong on purpose."""

    @pytest.mark.parametrize("name", HOSTILE)
    def test_one_that_unpacks_what_there_is(self, tmp_path: Path, name: str) -> None:
        async def trusting(path: Path, _: Any) -> None:
            return

        async def unpack(stores: Stores, path: Path, _: Any) -> None:
            with zipfile.ZipFile(path) as source:
                for info in source.infolist():
                    target = stores.folder.parent / info.filename
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(source.read(info))

        told = taken(tmp_path / "in", HOSTILE[name](tmp_path / "a.zip"), trusting, unpack)
        assert told[:3] == ["check: it is taken", "restore: it is taken", "something was written"]
        assert ("something was written elsewhere" in told) is (name == "a name that leads out")

    def test_one_that_does_not_judge_writes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(archive_module, "read_write", lambda line, scope: decode(line))
        assert self.found(tmp_path, "a write: ") >= {
            "half a character", "no time", "a key that leads out", "another's",
        }  # fmt: skip

    def test_one_that_does_not_judge_revisions(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def read(line: bytes) -> tuple[Revision, Any]:
            fields = unseal(line)
            names = ("rev", "etag", "time", "size", "author")
            return Revision(*(fields[name] for name in names)), fields["text"]

        monkeypatch.setattr(archive_module, "read_revision", read)
        assert self.found(tmp_path, "a revision: ") >= {
            "no time", "a thirteenth month", "a time of nowhere", "too large", "no author",
            "half a character", "a text that is a number", "a field more",
        }  # fmt: skip

    def test_one_that_reads_any_compression(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        every = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
        monkeypatch.setattr(archive_module, "_COMPRESSIONS", every)
        assert self.found(tmp_path, "") == {"bzip2", "lzma"}

    def test_one_that_takes_manifests_at_their_word(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(archive_module.Reader, "check", lambda reader, item: None)
        assert self.found(tmp_path, "a manifest: ") >= {"another count", "another sum"}

    def test_one_that_reads_a_line_to_its_end(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(archive_module, "MAX_LINES", {"memory": -1, "document": -1})
        assert most_of(endless(tmp_path / "a.zip")) > 2**26

    def found(self, folder: Path, kind: str) -> set[str]:
        """Those of a kind that are not refused as they should be."""
        names = [name for name in HOSTILE if name.startswith(kind)]
        wrong = set()
        for number, name in enumerate(names):
            place = folder / str(number)
            place.mkdir()
            if taken(place / "in", HOSTILE[name](place / "a.zip")):
                wrong.add(name.removeprefix(kind))
        return wrong
