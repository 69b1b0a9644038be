"""Whether the data folders can be used, as `/health/ready` sees it."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.runtime.errors import StoreError
from scripts.runtime.stores.folder import PROBE, Reach, try_folder
from scripts.runtime.stores.memory import FileMemory
from tests.faults.disk import file_size_limit

from .api import Served, application, serve


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serve(application(tmp_path / "root")) as running:
        yield running


def fault(root: Path) -> str | None:
    reach = Reach(root, {"memory": root / "memory", "documents": root / "docs"}, every=0)
    return asyncio.run(reach.fault())


def test_a_folder_that_is_absent_is_no_fault(tmp_path: Path) -> None:
    assert fault(tmp_path) is None
    (tmp_path / "memory").mkdir()
    assert fault(tmp_path) is None


def test_a_root_that_is_absent_is_a_fault(tmp_path: Path) -> None:
    assert fault(tmp_path / "gone") == f"the data folder {tmp_path / 'gone'} is not there"


@pytest.mark.parametrize("name, store", [("memory", "memory"), ("docs", "documents")])
def test_what_is_in_the_way_is_named(tmp_path: Path, name: str, store: str) -> None:
    (tmp_path / name).write_text("a file")
    assert fault(tmp_path) == f"{tmp_path / name} is in the way of {store}: it is no folder"


@pytest.mark.parametrize(
    "name, store",
    [("memory/runs", "memory"), ("docs/.store/revisions", "documents")],
)
def test_so_is_what_is_inside(tmp_path: Path, name: str, store: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text("a file")
    told = f"{tmp_path / name} is in the way of {store}: it is no folder"
    assert fault(tmp_path) == told
    with pytest.raises(StoreError, match=re.escape(told)):
        try_folder(tmp_path / name.partition("/")[0], store=store)


@pytest.mark.parametrize("name", ["isolated", "shared"])
def test_files_of_memory_need_their_folders_and_redis_does_not(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("a file")
    try_folder(tmp_path, store="memory")
    memory = FileMemory(tmp_path)
    with pytest.raises(StoreError, match=f"{name} is in the way of memory") as caught:
        asyncio.run(memory.check())
    assert caught.value.status == 503


@pytest.mark.parametrize("name, store", [("memory", "memory"), ("docs", "documents")])
def test_a_full_disk_is_a_fault(tmp_path: Path, name: str, store: str) -> None:
    (tmp_path / name).mkdir()
    with file_size_limit(1_000):
        told = fault(tmp_path)
    assert told == f"the folder {tmp_path / name} cannot hold {store}: No space left on device"
    assert fault(tmp_path) is None
    assert list((tmp_path / name).iterdir()) == []


def test_a_link_in_the_place_of_the_probe_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / PROBE).symlink_to(outside)
    assert "cannot hold memory" in (fault(tmp_path) or "")
    assert outside.read_text() == "mine"


def test_not_ready_as_long_as_the_data_are_gone(served: Served, tmp_path: Path) -> None:
    def status() -> int:
        return served.client.get("/health/ready").status_code

    assert status() == 200
    shutil.move(tmp_path / "root", tmp_path / "elsewhere")
    served.until(lambda: status() == 503)
    answer = served.client.get("/health/ready").json()
    assert "is not there" in answer["reason"]
    assert served.client.get("/agent/analyst/ready").json()["ready"] is False
    assert served.client.get("/health").status_code == 200
    assert served.client.get("/health/live").status_code == 200
    shutil.move(tmp_path / "elsewhere", tmp_path / "root")
    served.until(lambda: status() == 200)
