"""Archives that someone has made to do harm: whole zips, whose sums all fit."""

from __future__ import annotations

import asyncio
import hashlib
import json
import tracemalloc
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from scripts.runtime.archive import FORMAT, MANIFEST
from scripts.runtime.backup import check, restore
from scripts.runtime.errors import ArchiveError
from scripts.runtime.restoring import unfinished
from scripts.runtime.stores.record import seal
from tests.faults.test_backup import contents, silent, using

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


def refused(root: Path, path: Path) -> None:
    """Checking and restoring both refuse it, with a reason; nothing was written."""
    with pytest.raises(ArchiveError):
        asyncio.run(check(path, silent))
    with pytest.raises(ArchiveError):
        using(root, lambda stores: restore(stores, path, silent))
    assert not root.exists()


def test_the_same_without_harm_is_restored(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip")
    using(tmp_path / "in", lambda stores: restore(stores, path, silent))
    assert contents(tmp_path / "in").keys() == {"shared:a", "d"}
    assert unfinished(tmp_path / "in" / "memory") is None


@pytest.mark.parametrize("name", LINES)
def test_a_write_that_no_store_would_take(tmp_path: Path, name: str) -> None:
    refused(tmp_path / "in", archive(tmp_path / "a.zip", lines=[LINES[name]]))


@pytest.mark.parametrize("name", REVISIONS)
def test_a_revision_that_no_store_would_take(tmp_path: Path, name: str) -> None:
    refused(tmp_path / "in", archive(tmp_path / "a.zip", revisions=[REVISIONS[name]]))


def test_numbers_that_do_not_rise(tmp_path: Path) -> None:
    for number, (lines, revisions) in enumerate(
        [([write(), write()], [revision()]), ([write()], [revision(), revision()])]
    ):
        refused(tmp_path / "in", archive(tmp_path / f"{number}.zip", lines, revisions))


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_that_is_none(tmp_path: Path, name: str) -> None:
    refused(tmp_path / "in", archive(tmp_path / "a.zip", change=MANIFESTS[name]))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_unpacks_in_another_way(tmp_path: Path, method: int) -> None:
    refused(tmp_path / "in", archive(tmp_path / "a.zip", compression=method))


def test_a_link_in_the_zip_is_no_file_of_a_backup(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip")
    link = zipfile.ZipInfo("memory/shared/link.jsonl")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as target:
        target.writestr(link, "../../../etc/passwd")
    refused(tmp_path / "in", path)


def test_a_line_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    """It takes 64 KiB in the file and 64 MiB out of it."""
    path = archive(tmp_path / "a.zip", lines=[b"x" * 2**26])
    tracemalloc.start()
    try:
        refused(tmp_path / "in", path)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()
