"""What of an entry can be found, and what of a question is looked for: FTS5's own words."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any, Final

MAX_TEXT: Final = 100_000  # characters of a value that can be found
MAX_QUERY: Final = 20_000  # characters of a question that are read
MAX_READ_WORDS: Final = 500  # different words of a question that are looked up

TOKENS: Final = "tokenize='unicode61 remove_diacritics 2'"
_QUESTION: Final = f"""
    CREATE VIRTUAL TABLE question USING fts5(text, {TOKENS});
    CREATE VIRTUAL TABLE words USING fts5vocab(question, instance);
"""


def words_of(text: str) -> list[str]:
    """The different words of a question, as the index knows words, in their order."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(_QUESTION)
        database.execute("INSERT INTO question VALUES (?)", (_clean(text[:MAX_QUERY]),))
        rows = database.execute("SELECT term FROM words ORDER BY offset").fetchall()
    return list(dict.fromkeys(row[0] for row in rows))[:MAX_READ_WORDS]


def text_of(value: Any) -> str:
    """What can be found of a value: all its texts, numbers and keys."""
    parts: list[str] = []
    todo = [value]
    length = 0
    while todo and length < MAX_TEXT:
        item = todo.pop()
        if isinstance(item, dict):
            for name, inner in reversed(item.items()):
                todo += (inner, name)
        elif isinstance(item, list | tuple):
            todo.extend(reversed(item))
        elif item is not None and not isinstance(item, bool):
            parts.append(str(item))
            length += len(parts[-1]) + 1
    return _clean(" ".join(parts)[:MAX_TEXT])


def _clean(text: str) -> str:
    """Half of a surrogate pair is no text for SQLite, and nothing that anyone looks for."""
    return text.encode("utf-8", "replace").decode("utf-8")
