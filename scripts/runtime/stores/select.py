"""The stores that the settings ask for."""

from __future__ import annotations

from typing import Final

from ..errors import SettingsError
from ..ownclass import Shape, check_own, make_own
from ..redisurl import address
from ..settings import BACKENDS, Settings
from .compacting import Compactor
from .documents import FileDocuments
from .folder import try_folder
from .journals import FOLDERS
from .memory import FileMemory
from .protocol import DocumentStore, MemoryStore
from .runfile import FileRuns

MEMORY: Final = Shape(
    texts=("backend",),
    methods=(
        *("get", "entries", "history", "put", "delete"),
        *("scopes", "dump", "load", "check", "close"),
    ),
    others=(),
    hint="runtime/stores/protocol.py says what a memory is",
)
_WHERE: Final = "memory.backend"


def make_memory(settings: Settings, *, serving: bool = True) -> MemoryStore:
    """The memory that `memory.backend` names: files, Redis, or an object of the user's own class.

    Raises StoreError when the data folder cannot be written, or `memory.strict` finds damage,
    unless it is not for `serving`: a full disk or a damaged file is what a backup, an export or a
    restore may be wanted for. Raises SettingsError without the package of Redis or for a class
    that is no memory. Redis itself may be down: it is not asked.
    """
    backend = settings.memory.backend
    if serving:
        inner = FOLDERS if backend == "file" else ()
        # Runs are kept there in any case.
        try_folder(settings.memory_dir, store="memory", inner=inner)
    if backend == "redis":
        return _redis(settings)
    if backend not in BACKENDS:
        return _own(settings, backend)
    return _files(settings, strict=settings.memory.strict and serving)


def place(settings: Settings) -> str:
    """Where memory is, in words for people; without a password."""
    memory = settings.memory
    if memory.backend == "redis":
        return f"redis, {address(memory.redis.url.get_secret_value())}"
    return f"file, {settings.memory_dir}" if memory.backend == "file" else memory.backend


def _files(settings: Settings, *, strict: bool) -> MemoryStore:
    asked = settings.memory
    compactor = Compactor(asked.compact_above, asked.compact_ratio)
    memory = FileMemory(
        settings.memory_dir, asked.durability, history=asked.history, compactor=compactor
    )
    memory.prepare(strict=strict)
    return memory


def _redis(settings: Settings) -> MemoryStore:
    try:
        from .redismemory import RedisMemory  # imports redis-py
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("redis", "hiredis"):
            raise
        message = f"memory in Redis needs the package redis[hiredis]; {package} is missing"
        hint = "pip install -r generated/requirements-redis.txt"
        raise SettingsError(message, where=_WHERE, hint=hint) from None
    return RedisMemory(settings.memory.redis)


def _own(settings: Settings, path: str) -> MemoryStore:
    """An object of `package.module:Class`, made with the `memory` settings."""
    made = make_own(path, settings.memory, where=_WHERE)
    check_own(made, path, MEMORY, where=_WHERE)
    memory: MemoryStore = made
    return memory


def make_documents(settings: Settings, *, serving: bool = True) -> DocumentStore:
    """Documents as Markdown files.

    Raises StoreError when their folder cannot be written, unless it is not for `serving`.
    """
    if serving:
        try_folder(settings.documents_dir, store="documents")
    return FileDocuments(
        settings.documents_dir,
        settings.memory.durability,
        revisions=settings.documents.revisions,
    )


def make_runs(settings: Settings) -> FileRuns:
    """Runs that did not succeed, beside memory; what was too much already is removed."""
    runs = FileRuns(settings.memory_dir / "runs", settings.memory.durability)
    runs.sweep()
    return runs
