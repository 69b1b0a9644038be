"""A full-text index over some scopes of memory: SQLite's FTS5, ranked by BM25.

It is never the truth. What it says is looked up in the store, and its file may be deleted at
any time: whoever asks next makes it again. All of this waits for the disk; one thread does it.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from ..stores.protocol import Entry
from .words import TOKENS, text_of

VERSION: Final = 2
MAX_WORDS: Final = 32  # the rarest of them, by which is searched
MAX_MATCHES: Final = 10_000  # matches that are scored: the common words of a large memory are left
MAX_COMMON: Final = 10_000  # words that are known to be common
SMALL: Final = 20  # entries; below it no word counts as common
MAX_SEQ: Final = 2**63 - 1
KEY_WEIGHT: Final = 2.0  # a word of the key, over one of the value

_SCHEMA: Final = f"""
    CREATE TABLE meta (version INTEGER, name TEXT);
    CREATE TABLE scopes (scope TEXT PRIMARY KEY, seq INTEGER, mark TEXT);
    CREATE TABLE entries (
        id INTEGER PRIMARY KEY, scope TEXT, key TEXT, seq INTEGER, time TEXT, category TEXT,
        UNIQUE (scope, key)
    );
    CREATE INDEX newest ON entries (scope, seq);
    CREATE TABLE counts (scope TEXT PRIMARY KEY, keys INTEGER);
    CREATE VIRTUAL TABLE texts USING fts5(key, value, {TOKENS});
    CREATE VIRTUAL TABLE words USING fts5vocab(texts, row);
"""
_MATCH: Final = (  # nothing of anyone's is in it
    f"SELECT * FROM (SELECT rowid AS id, -bm25(texts, {KEY_WEIGHT}, 1.0) * ? AS score "  # noqa: S608
    f"FROM texts WHERE texts MATCH ? ORDER BY rowid DESC LIMIT {MAX_MATCHES})"
)


class Known(NamedTuple):
    """What the index has of a scope: all writes up to `seq`; `mark` is what the store gave it."""

    seq: int
    keys: int
    mark: str


class Hit(NamedTuple):
    """An entry that fits; `score` is its BM25, above 0."""

    scope: str
    key: str
    seq: int
    score: float


class Damaged(Exception):
    """The file is no index, or not a whole one."""


class Unusable(Exception):
    """The disk is full or cannot be written, or another process keeps the file."""


class Index:
    """One file, or without a path only in this process. Raises Damaged or Unusable."""

    def __init__(self, path: Path | None, name: str) -> None:
        """`name` says what is in it: a file of another one counts as damaged."""
        self._name = name
        self._path = path
        self._common: dict[str, int] = {}
        self._removed = 0
        self._version = -1
        self._database = _opened(path)
        try:
            with _Faults():
                self._database.execute("PRAGMA synchronous = OFF")  # nothing is in it yet
                self._database.execute("PRAGMA journal_mode = WAL")
                self._prepare()
                self._database.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            self._database.close()
            raise

    def _prepare(self) -> None:
        with self._writing() as database:
            if not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                for statement in _SCHEMA.strip().rstrip(";").split(";\n"):
                    database.execute(statement)
                database.execute("INSERT INTO meta VALUES (?, ?)", (VERSION, self._name))
        if database.execute("SELECT version, name FROM meta").fetchall() != [(VERSION, self._name)]:
            raise Damaged(f"it is not the index of {self._name}")

    def known(self, scope: str) -> Known:
        """How far a scope has been taken in."""
        with _Faults():
            row = self._database.execute(
                "SELECT seq, coalesce(keys, 0), mark FROM scopes LEFT JOIN counts USING (scope) "
                "WHERE scope = ?",
                (scope,),
            ).fetchone()
        return Known(*row) if row else Known(0, 0, "")

    def scopes(self) -> dict[str, str]:
        """The scopes that are in it, with their marks."""
        with _Faults():
            return dict(self._database.execute("SELECT scope, mark FROM scopes"))

    def witness(self, scope: str) -> tuple[str, int, str] | None:
        """Key, seq and time of the newest entry of a scope: what the store must know as well."""
        with _Faults():
            found: tuple[str, int, str] | None = self._database.execute(
                "SELECT key, seq, time FROM entries WHERE scope = ? ORDER BY seq DESC LIMIT 1",
                (scope,),
            ).fetchone()
        return found

    def add(self, entries: Iterable[Entry], exactly: bool = False) -> None:
        """Take in newest values of keys; one that is not newer than the known one is passed over,
        but for `exactly`: then it counts, whatever is known.

        `note` has to follow when all that was written has been taken in.
        """
        with self._writing():
            for entry in entries:
                self._take(entry, exactly)

    def note(self, scope: str, seq: int, mark: str) -> int:
        """All writes up to `seq` are in: the next time begins there. The count of keys."""
        with self._writing() as database:
            database.execute("INSERT OR REPLACE INTO scopes VALUES (?, ?, ?)", (scope, seq, mark))
        return self.known(scope).keys

    def keep(self, scope: str, seq: int, keys: Collection[str]) -> None:
        """Forget all keys of a scope but these, and those that were written after `seq`."""
        kept = frozenset(keys)
        with self._writing() as database:
            rows = database.execute(
                "SELECT key FROM entries WHERE scope = ? AND seq <= ?", (scope, seq)
            ).fetchall()
            for (key,) in rows:
                if key not in kept:
                    self._forget(scope, key)

    def drop(self, scope: str) -> None:
        """Forget a scope."""
        self.keep(scope, MAX_SEQ, ())
        with self._writing() as database:
            database.execute("DELETE FROM scopes WHERE scope = ?", (scope,))

    def search(self, words: Sequence[str], categories: Collection[str], limit: int) -> list[Hit]:
        """The entries that hold some of `words`, the best first, of equals the newest.

        The score is BM25 (k1 1.2, b 0.75, a word of the key counting twice) with the weight
        ln(1 + (N - n + 1/2) / (n + 1/2)) of a word that n of N entries hold.
        """
        with _Faults():
            row = self._database.execute("SELECT coalesce(sum(keys), 0) FROM counts").fetchone()
            total: int = row[0]
            chosen = self._chosen(words, total)
            if not chosen:
                return []
            matches = " UNION ALL ".join(_MATCH for _ in chosen)
            values: list[Any] = []
            for word, count in chosen:
                values += [_weight(total, count), f'"{word}"']
            marks = ", ".join("?" for _ in categories)
            where = f"WHERE category IN ({marks})" if categories else ""
            sql = (
                f"WITH found AS MATERIALIZED ({matches}) "  # noqa: S608 - values are bound
                "SELECT scope, key, seq, sum(score) AS total FROM found JOIN entries USING (id) "
                f"{where} GROUP BY id ORDER BY total DESC, time DESC, seq DESC, scope, key LIMIT ?"
            )
            rows = self._database.execute(sql, (*values, *sorted(categories), limit))
            return [Hit(*row) for row in rows]

    def close(self) -> None:
        """Give the file back."""
        self._database.close()

    def frozen(self) -> Self:
        """The index as it is now, whatever is taken in from here on."""
        database = _opened(self._path)
        with _Faults():
            if self._path is None:
                self._database.backup(database)
            else:  # a transaction that reads sees one state of the file for as long as it lasts
                database.execute("BEGIN")
                database.execute("SELECT count(*) FROM entries").fetchone()
        view = copy(self)
        view.__dict__["_database"] = database
        return view

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with _Faults(), self._database as database:
            database.execute("BEGIN IMMEDIATE")
            yield database

    def _chosen(self, words: Sequence[str], total: int) -> list[tuple[str, int]]:
        """The rarest words that are there at all, with the number of entries that hold them."""
        self._forget_others()
        counted = [(self._at_least(word) or self._count(word), word) for word in words]
        found = sorted((pair for pair in counted if pair[0]), key=lambda pair: pair[0])
        if found and found[0][0] > MAX_MATCHES:  # common words only: which is the rarest?
            found = sorted(((self._count(word), word) for _, word in found), key=lambda p: p[0])
        chosen: list[tuple[str, int]] = []
        matches = 0
        for count, word in found[:MAX_WORDS]:
            matches += count
            common = total >= SMALL and 2 * count > total
            if chosen and (common or matches > MAX_MATCHES):
                break
            chosen.append((word, count))
        return chosen

    def _count(self, word: str) -> int:
        row = self._database.execute("SELECT doc FROM words WHERE term = ?", (word,)).fetchone()
        count = row[0] if row else 0
        if count > MAX_MATCHES and len(self._common) < MAX_COMMON:
            self._common[word] = count + self._removed
        return count

    def _at_least(self, word: str) -> int:
        """A common word is counted once; then it is common, until that many entries have gone."""
        least = self._common.get(word, 0) - self._removed
        return least if least > MAX_MATCHES else 0

    def _forget_others(self) -> None:
        """What other processes removed is not known here."""
        version = self._database.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self._version = version
            self._common = {}

    def _take(self, entry: Entry, exactly: bool) -> None:
        row = self._database.execute(
            "SELECT seq, time FROM entries WHERE scope = ? AND key = ?", (entry.scope, entry.key)
        ).fetchone()
        is_known = row == (entry.seq, entry.timestamp)
        if is_known or (row and row[0] > entry.seq and not exactly):
            return  # another process was here
        self._forget(entry.scope, entry.key)
        if entry.op == "set":
            self._insert(entry)

    def _insert(self, entry: Entry) -> None:
        cursor = self._database.execute(
            "INSERT INTO entries (scope, key, seq, time, category) VALUES (?, ?, ?, ?, ?)",
            (entry.scope, entry.key, entry.seq, entry.timestamp, entry.category),
        )
        self._add_keys(entry.scope, 1)
        self._database.execute(
            "INSERT INTO texts (rowid, key, value) VALUES (?, ?, ?)",
            (cursor.lastrowid, entry.key, text_of(entry.value)),
        )

    def _add_keys(self, scope: str, change: int) -> None:
        self._database.execute(
            "INSERT INTO counts VALUES (?, ?) "
            "ON CONFLICT (scope) DO UPDATE SET keys = keys + excluded.keys",
            (scope, change),
        )

    def _forget(self, scope: str, key: str) -> None:
        row = self._database.execute(
            "DELETE FROM entries WHERE scope = ? AND key = ? RETURNING id", (scope, key)
        ).fetchone()
        if row:
            self._removed += 1
            self._add_keys(scope, -1)
            self._database.execute("DELETE FROM texts WHERE rowid = ?", row)


def _weight(total: int, count: int) -> float:
    """FTS5 gives a word that many entries hold next to no weight, which in a memory of ten
    entries is most words: its weight is divided out, and Lucene's put in.
    """
    theirs = math.log((total - count + 0.5) / (count + 0.5))
    ours = math.log(1 + (total - count + 0.5) / (count + 0.5))
    return ours / (theirs if theirs > 0 else 1e-6)


def _opened(path: Path | None) -> sqlite3.Connection:
    with _Faults():
        if path is not None:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return sqlite3.connect(path or ":memory:", timeout=5, isolation_level=None)


class _Faults:
    """Tells a damaged file from a disk or a lock that is in the way."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, fault: BaseException | None, trace: object) -> None:
        if isinstance(fault, sqlite3.OperationalError | OSError):
            raise Unusable(str(fault)) from fault
        if isinstance(fault, sqlite3.DatabaseError):
            raise Damaged(str(fault)) from fault
