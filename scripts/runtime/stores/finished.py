"""Runs that succeeded, one line each: `runs/done/*.jsonl`, what `changed` documents can reuse.

Each process appends to a file of its own, kept open and locked, so that a run costs one write
and no file. Whoever looks for a run reads what all of them have added since it last looked. Which
of two is the newer one does not depend on the clock, which may be set back (see `order`). Of
files that nobody writes any more the newest line of each run is put together in one, beside the
loop, from time to time.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..clock import uuid7
from ..events import Event
from .files import open_regular, read_now
from .order import Order
from .record import BadLine, seal, unseal
from .runs import HAD, Done, Kept, reusable

MAX_RUN: Final = 2_000_000  # bytes of one run; of a larger one nothing can be reused
MAX_FILE: Final = 4 * 2**20  # bytes until a process begins a new file
MAX_BYTES: Final = 16 * 2**20  # of all that is put together
MAX_FILES: Final = 8  # that nobody writes any more

_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_HEAD: Final = re.compile(
    rb'\{"identity":"([0-9a-f]{64})",'
    rb'"time":([0-9]{1,20}(?:\.[0-9]{1,20})?(?:e\+[0-9]{1,2})?),"sources":"([0-9a-f]*)"'
)
_RUN: Final = b'{"identity":"'
_SOURCES: Final = b'{"digest":"'
_ENCODER: Final = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_log = logging.getLogger(__name__)


class Place(NamedTuple):
    """Where the newest line of a run is; `sources` is the digest of what it was made of.

    `time` is later than that of any line that was written before, whatever the clock said.
    """

    time: float
    path: str
    start: int
    end: int
    sources: str


@dataclass(slots=True)
class _Index:
    """What was read of the files so far: up to where, and what was found."""

    read: dict[str, int]
    places: dict[str, Place]
    sources: dict[str, Mapping[str, str]]


class FinishedRuns:
    """The finished runs in `folder`; any number of processes of one host may share it."""

    def __init__(self, folder: Path, *, durable: bool = False, limit: int = 1000) -> None:
        self._folder = folder
        self._durable = durable
        self._limit = limit
        self._fd = -1
        self._size = 0
        self._told: set[str] = set()
        self._digests: dict[int, tuple[Mapping[str, str], str]] = {}
        self._index = _Index({}, {}, {})
        self._order = Order(folder / ".order")

    def write(self, identity: str, done: Done) -> None:
        """Remember a run. A fault is told in the log: the run itself succeeded."""
        try:
            self._write(identity, done)
        except OSError as error:
            _log.warning("a finished run is not remembered: %s", error.strerror)

    def _write(self, identity: str, done: Done) -> None:
        digest = self._digest(done.sources)
        if self._fd < 0 or self._size > MAX_FILE:
            self._open()
        data = _line(identity, done, self._order.next(done.time), digest)
        if digest not in self._told:
            text = f'{{"digest":"{digest}","sources":{_ENCODER.encode(done.sources)}}}'
            data = seal(text) + data
        written = os.write(self._fd, data)
        self._size += written
        if written < len(data):
            self._let_go()  # what was torn ends with its file
            raise OSError(28, "no room is left")
        self._told.add(digest)
        if self._durable:
            _beside(lambda: _sync(self._fd))

    def _digest(self, sources: Mapping[str, str]) -> str:
        """By the object, of which there is one as long as a process serves one tree."""
        known = self._digests.get(id(sources))
        if known is not None and known[0] is sources:
            return known[1]
        text = json.dumps(sources, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:32]
        if len(self._digests) > 16:
            self._digests.clear()
        self._digests[id(sources)] = (sources, digest)
        return digest

    def _open(self) -> None:
        self._let_go()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._order.is_open:
            self._order.begin(max(map(_latest, self._paths()), default=0.0))
        path = self._folder / f"{uuid7()}.tmp"
        self._fd = os.open(path, _FLAGS, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.replace(path.with_suffix(".jsonl"))  # ours before anyone can see it
        self._size = 0
        _beside(self.compact)

    def close(self) -> None:
        """Let go of the files; the next run begins another."""
        self._let_go()
        self._order.close()

    def _let_go(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._told.clear()

    def find(self, identity: str) -> Kept | None:
        """The last run of an identity, if there is one that can be read. No fault is raised."""
        for _ in range(2):
            index = self._read(self._index)
            place = index.places.get(identity)
            if place is None:
                return None
            try:
                return _kept(_piece(place), index.sources.get(place.sources))
            except FileNotFoundError:
                self._index = _Index({}, {}, {})  # put together with others meanwhile
            except (BadLine, KeyError, TypeError, ValueError) as reason:
                _log.warning("a finished run cannot be reused: %s", reason)
                return None
        return None

    def _read(self, index: _Index) -> _Index:
        for path in self._paths():
            descriptor = open_regular(Path(path))
            if descriptor is not None:
                os.lseek(descriptor, index.read.get(path, 0), os.SEEK_SET)
                _take(index, path, read_now(descriptor))
        return index

    def _paths(self) -> list[str]:
        try:
            with os.scandir(self._folder) as entries:
                return sorted(entry.path for entry in entries if entry.name.endswith(".jsonl"))
        except OSError:
            return []

    def compact(self) -> None:
        """Put together what nobody writes any more, where there is much of it."""
        try:
            with _alone(self._folder) as ours:
                if ours:
                    self._compact()
        except OSError as error:
            _log.warning("finished runs are not put together: %s", error.strerror)

    def _compact(self) -> None:
        idle = [path for path in self._paths() if _is_idle(path)]
        size = sum(Path(path).stat().st_size for path in idle)
        if len(idle) <= MAX_FILES and size <= MAX_BYTES + MAX_FILE:
            return
        index = self._read(_Index({}, {}, {}))
        newest = sorted(index.places.values(), reverse=True)[: self._limit]
        path = self._folder / f"{uuid7()}.tmp"
        with path.open("xb") as file:
            path.chmod(0o600)
            for data in _together(newest, frozenset(idle), index.sources):
                file.write(data)
            file.flush()
            if self._durable:
                os.fsync(file.fileno())
        path.replace(path.with_suffix(".jsonl"))
        for old in idle:
            Path(old).unlink(missing_ok=True)


def _together(
    newest: list[Place], idle: frozenset[str], sources: Mapping[str, Mapping[str, str]]
) -> Iterator[bytes]:
    """The lines of those that lie in idle files, newest first, until there are enough bytes."""
    told: set[str] = set()
    size = 0
    for place in newest:
        size += place.end - place.start
        if size > MAX_BYTES:
            return
        if place.path not in idle or place.sources not in sources:
            continue
        if place.sources not in told:
            told.add(place.sources)
            text = _ENCODER.encode(sources[place.sources])
            yield seal(f'{{"digest":"{place.sources}","sources":{text}}}')
        yield _piece(place) + b"\n"


def _line(identity: str, done: Done, time: float, digest: str) -> bytes:
    """A run; one that is too large, or is no JSON, takes the place of the one before as well."""
    head = f'{{"identity":"{identity}","time":{time!r},"sources":"{digest}"'
    steps = [(e.seq, e.time, e.step, e.data) for e in done.steps]
    try:
        data = seal(f'{head},"run_id":"{done.run_id}","steps":{_ENCODER.encode(steps)}}}')
        if len(data) <= MAX_RUN:
            return data
    except (TypeError, ValueError, RecursionError):
        pass
    return seal(f'{head},"run_id":"{done.run_id}","steps":null}}')


def _take(index: _Index, path: str, data: bytes) -> None:
    """Note where the lines of a file are; one without its end is read next time."""
    start = index.read.get(path, 0)
    for line in data[: data.rfind(b"\n") + 1].splitlines(keepends=True):
        end = start + len(line)
        if line.startswith(_SOURCES):
            with contextlib.suppress(BadLine):
                found = unseal(line[:-1])
                index.sources[found["digest"]] = found["sources"]
        elif head := _HEAD.match(line):
            place = Place(float(head[2]), path, start, end - 1, head[3].decode())
            name = head[1].decode()
            if name not in index.places or index.places[name] < place:
                index.places[name] = place
        start = end
    index.read[path] = start


def _latest(path: str) -> float:
    """The latest time in a file: of its last line, or of the first where it was put together."""
    descriptor = open_regular(Path(path))
    data = b"" if descriptor is None else read_now(descriptor)
    heads = (_HEAD.match(data, place) for place in (data.find(_RUN), data.rfind(b"\n" + _RUN) + 1))
    return max((float(head[2]) for head in heads if head), default=0.0)


def _piece(place: Place) -> bytes:
    descriptor = open_regular(Path(place.path))
    if descriptor is None:
        raise FileNotFoundError(place.path)
    try:
        return os.pread(descriptor, place.end - place.start, place.start)
    finally:
        os.close(descriptor)


def _kept(line: bytes, sources: Mapping[str, str] | None) -> Kept | None:
    found: dict[str, Any] = unseal(line)
    if found["steps"] is None or sources is None:
        return None
    steps = [Event(int(seq), HAD, time, step, data) for seq, time, step, data in found["steps"]]
    return reusable(found["run_id"], sources, steps)


def _is_idle(path: str) -> bool:
    descriptor = open_regular(Path(path))
    if descriptor is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether no other process does the same just now."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(folder / ".lock", flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)


def _sync(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # it may be closed by now, and is no promise of ours
        os.fdatasync(descriptor)


def _beside(call: Any) -> None:
    try:
        asyncio.get_running_loop().run_in_executor(None, call)
    except RuntimeError:
        call()
