"""Finished runs in their files: the last one of each is found, whoever wrote it, within bounds."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import math
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.runtime.events import Event
from scripts.runtime.stores import finished as finished_module
from scripts.runtime.stores.finished import FinishedRuns
from scripts.runtime.stores.order import Order
from scripts.runtime.stores.runs import Done

from .agents import heard

SOURCES = {"bmad/workflow.yaml": "1"}


def identity(name: object) -> str:
    return hashlib.sha256(f"{name}".encode()).hexdigest()


def done(text: str = "x", time: float = 1.0, sources: Any = SOURCES) -> Done:
    steps = [
        Event(3, "step.completed", time, "analyst", {"name": "agent:analyst#1", "output": text}),
        Event(9, "step.reused", time, "écrit", {"name": "agent:écrit#1", "output": {"ß": [1]}}),
    ]
    return Done(f"run {text[:20]}", time, sources, steps)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "done"


@pytest.fixture
def runs(folder: Path) -> FinishedRuns:
    return FinishedRuns(folder)


def outputs(runs: FinishedRuns, name: object) -> list[Any] | None:
    kept = runs.find(identity(name))
    return None if kept is None else [event.data["output"] for event in kept.steps]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix == ".jsonl")


def test_the_last_one_is_found(folder: Path, runs: FinishedRuns) -> None:
    assert runs.find(identity("a")) is None
    assert not folder.exists()
    runs.write(identity("a"), done("one", 1.0))
    runs.write(identity("b"), done("other", 2.0))
    runs.write(identity("a"), done("two", 3.0))
    for reader in (runs, FinishedRuns(folder)):
        assert outputs(reader, "a") == ["two", {"ß": [1]}]
        assert outputs(reader, "b") == ["other", {"ß": [1]}]
        assert outputs(reader, "c") is None
    kept = runs.find(identity("a"))
    assert kept is not None
    assert (kept.run_id, kept.sources, kept.changed) == ("run two", SOURCES, {})
    assert [(event.seq, event.type) for event in kept.steps] == [
        (-1, "step.reused"), (0, "step.reused"),
    ]  # fmt: skip


def test_all_processes_are_heard(folder: Path) -> None:
    one, other = FinishedRuns(folder), FinishedRuns(folder)
    for number in range(20):
        (one, other)[number % 2].write(identity("a"), done(f"{number}", float(number)))
        assert outputs(one, "a") == outputs(other, "a") == [f"{number}", {"ß": [1]}]
    assert len(files(folder)) == 2


def test_a_file_is_private(folder: Path, runs: FinishedRuns) -> None:
    runs.write(identity("a"), done())
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir() if path.suffix} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_sources_stand_once_in_a_file(folder: Path, runs: FinishedRuns) -> None:
    for number in range(10):
        runs.write(identity(number), done(sources=SOURCES))
    runs.write(identity("newer"), done(sources={**SOURCES, "more": "2"}))
    text = (folder / files(folder)[0]).read_text()
    assert text.count('"sources":{') == 2
    kept = runs.find(identity("newer"))
    assert kept is not None
    assert kept.sources == {**SOURCES, "more": "2"}


@pytest.mark.parametrize("output", ["x" * 2_000_001, float("nan"), object()])
def test_what_cannot_be_kept_hides_what_was_before(runs: FinishedRuns, output: Any) -> None:
    runs.write(identity("a"), done("before", 1.0))
    bad = done("after", 2.0)
    bad.steps[0].data["output"] = output  # type: ignore[index]
    runs.write(identity("a"), bad)
    assert runs.find(identity("a")) is None
    runs.write(identity("a"), done("then", 3.0))
    assert outputs(runs, "a") == ["then", {"ß": [1]}]


class TestDamage:
    @pytest.fixture(autouse=True)
    def _heard(self) -> Iterator[None]:
        with heard():
            yield

    def test_a_torn_line_hides_no_other(self, folder: Path, runs: FinishedRuns) -> None:
        runs.write(identity("a"), done("one", 1.0))
        runs.write(identity("b"), done("two", 2.0))
        runs.close()
        path = folder / files(folder)[0]
        whole = path.read_bytes()
        for cut in range(1, 40):
            path.write_bytes(whole[:-cut])
            reader = FinishedRuns(folder)
            assert outputs(reader, "a") == ["one", {"ß": [1]}]
            assert reader.find(identity("b")) is None

    def test_a_changed_line_is_not_believed(
        self, folder: Path, runs: FinishedRuns, caplog: pytest.LogCaptureFixture
    ) -> None:
        runs.write(identity("a"), done("one", 1.0))
        path = folder / files(folder)[0]
        path.write_bytes(path.read_bytes().replace(b'"output":"one"', b'"output":"two"'))
        assert FinishedRuns(folder).find(identity("a")) is None
        assert "cannot be reused" in caplog.text

    def test_a_fault_is_only_told(
        self,
        runs: FinishedRuns,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        real = os.write

        def full(descriptor: int, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        runs.write(identity("a"), done("one", 1.0))
        monkeypatch.setattr(os, "write", full)
        runs.write(identity("b"), done("two", 2.0))
        monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:10]))
        runs.write(identity("c"), done("three", 3.0))
        monkeypatch.undo()
        assert caplog.text.count("not remembered") == 2
        runs.write(identity("d"), done("four", 4.0))
        assert outputs(runs, "a") == ["one", {"ß": [1]}]
        assert outputs(runs, "d") == ["four", {"ß": [1]}]
        assert runs.find(identity("c")) is None

    def test_a_folder_of_others(self, folder: Path, runs: FinishedRuns) -> None:
        folder.mkdir()
        (folder / "link.jsonl").symlink_to("/etc/passwd")
        os.mkfifo(folder / "pipe.jsonl")
        (folder / "folder.jsonl").mkdir()
        (folder / "junk.jsonl").write_bytes(b'\xff\n{"identity":"x"}\n\n[]\n')
        runs.write(identity("a"), done("one"))
        assert outputs(runs, "a") == ["one", {"ß": [1]}]


class TestBounds:
    def written(self, folder: Path, number: int, **options: Any) -> None:
        """By as many processes that have all ended."""
        for place in range(number):
            runs = FinishedRuns(folder, **options)
            runs.write(identity(place % 7), done(f"{place}", float(place)))
            runs.close()

    def test_many_files_become_one(self, folder: Path) -> None:
        self.written(folder, 30)
        assert len(files(folder)) <= finished_module.MAX_FILES + 2
        reader = FinishedRuns(folder)
        for name in range(7):
            newest = max(place for place in range(30) if place % 7 == name)
            assert outputs(reader, name) == [f"{newest}", {"ß": [1]}]

    def test_only_so_many_runs_are_left(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.written(folder, 40)
        monkeypatch.setattr(finished_module, "MAX_FILES", 0)
        FinishedRuns(folder, limit=3).compact()
        reader = FinishedRuns(folder)
        left = [name for name in range(7) if reader.find(identity(name)) is not None]
        assert left == sorted(place % 7 for place in (37, 38, 39))

    def test_large_files_are_followed_by_others(
        self, folder: Path, runs: FinishedRuns, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(finished_module, "MAX_FILE", 5_000)
        monkeypatch.setattr(finished_module, "MAX_BYTES", 20_000)
        for number in range(300):
            runs.write(identity(number), done("x" * 300, float(number)))
        size = sum(path.stat().st_size for path in folder.iterdir())
        assert size <= 20_000 + 2 * 5_000 + 5_000
        assert outputs(runs, 299) == ["x" * 300, {"ß": [1]}]
        assert runs.find(identity(0)) is None

    def test_a_file_that_is_written_is_left_alone(self, folder: Path) -> None:
        writer = FinishedRuns(folder)
        writer.write(identity("mine"), done("one", 100.0))
        self.written(folder, 30)
        writer.write(identity("mine"), done("two", 101.0))
        assert outputs(FinishedRuns(folder), "mine") == ["two", {"ß": [1]}]

    def test_a_reader_finds_what_was_moved(self, folder: Path) -> None:
        reader = FinishedRuns(folder)
        self.written(folder, 5)
        assert outputs(reader, 0) == ["0", {"ß": [1]}]
        self.written(folder, 20)
        assert outputs(reader, 1) == ["15", {"ß": [1]}]

    def test_only_one_process_puts_together(self, folder: Path) -> None:
        self.written(folder, 8)
        threads = [threading.Thread(target=FinishedRuns(folder).compact) for _ in range(4)]
        self.written(folder, 5)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        reader = FinishedRuns(folder)
        assert all(reader.find(identity(name)) is not None for name in range(7))


class TestClock:
    """Whatever the clock says, the last one that was written is the last one."""

    def test_set_back_in_one_process(self, folder: Path, runs: FinishedRuns) -> None:
        for number, time in enumerate((1000.0, 10.0, 10.0, 5.0, 999.0)):
            runs.write(identity("a"), done(f"{number}", time))
            for reader in (runs, FinishedRuns(folder)):
                assert outputs(reader, "a") == [f"{number}", {"ß": [1]}]

    def stale(self, folder: Path) -> list[str]:
        """What is wrong while the clock goes back and several processes write."""
        writers = [FinishedRuns(folder) for _ in range(3)]
        told = []
        for number in range(12):
            writers[number % 3].write(identity("a"), done(f"{number}", 100.0 - number))
            writers[1].write(identity("b"), done("another", 300.0))
            for reader in (*writers, FinishedRuns(folder)):
                found = outputs(reader, "a")
                if found != [f"{number}", {"ß": [1]}]:
                    told.append(f"{found} instead of {number}")
        return told

    def test_set_back_under_several_processes(self, folder: Path) -> None:
        assert self.stale(folder) == []

    def test_an_order_by_the_clock_is_found_out(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Order, "next", lambda order, time: time)
        assert self.stale(folder) != []

    def test_an_order_of_each_process_is_found_out(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Planted: the last time is remembered, and not shared."""
        last: dict[int, float] = {}

        def own(order: Order, time: float) -> float:
            last[id(order)] = max(time, math.nextafter(last.get(id(order), 1.0), math.inf))
            return last[id(order)]

        monkeypatch.setattr(Order, "next", own)
        assert self.stale(folder) != []

    @pytest.mark.parametrize("order", [None, b"", b"\xff" * 8, b"torn", b"\0" * 8])
    def test_set_back_between_two_starts(self, folder: Path, order: bytes | None) -> None:
        """Also where the file with the last time is gone, or is not what was written."""
        for number, time in enumerate((1000.0, 500.0, 100.0)):
            runs = FinishedRuns(folder)
            for name in f"{'bcdef'[2 * number :]}a":
                runs.write(identity(name), done(f"{number}", time))
            runs.close()
            if order is None:
                (folder / ".order").unlink()
            else:
                (folder / ".order").write_bytes(order)
            assert outputs(FinishedRuns(folder), "a") == [f"{number}", {"ß": [1]}]

    def test_what_is_put_together_is_the_newest(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(30):
            runs = FinishedRuns(folder)
            runs.write(identity(number % 7), done(f"{number}", 100.0 - number))
            runs.close()
        assert len(files(folder)) <= finished_module.MAX_FILES + 2
        reader = FinishedRuns(folder)
        for name in range(7):
            newest = max(number for number in range(30) if number % 7 == name)
            assert outputs(reader, name) == [f"{newest}", {"ß": [1]}]
        monkeypatch.setattr(finished_module, "MAX_FILES", 0)
        reader.compact()
        assert len(files(folder)) == 1
        (folder / ".order").unlink()
        runs = FinishedRuns(folder)
        runs.write(identity(29 % 7), done("later", 1.0))
        assert outputs(runs, 29 % 7) == ["later", {"ß": [1]}]

    def test_who_is_stopped_stops_no_other(self, folder: Path, runs: FinishedRuns) -> None:
        runs.write(identity("a"), done("one", 1000.0))
        with (folder / ".order").open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            runs.write(identity("a"), done("two", 10.0))
        assert outputs(runs, "a") == ["two", {"ß": [1]}]

    def test_a_time_that_is_none_is_passed_over(self, folder: Path, runs: FinishedRuns) -> None:
        folder.mkdir()
        for number, time in enumerate(("1.2.3", "9" * 400, "1e+999", "", "inf")):
            line = f'{{"identity":"{identity("a")}","time":{time},"sources":"ab","run_id":"x"}}\n'
            (folder / f"{number}.jsonl").write_text(line)
        runs.write(identity("a"), done("one", 1.0))
        assert outputs(runs, "a") == ["one", {"ß": [1]}]
