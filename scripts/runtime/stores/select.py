"""The stores that the settings ask for."""

from __future__ import annotations

from ..settings import Settings
from .documents import FileDocuments
from .folder import try_folder
from .memory import FileMemory
from .protocol import DocumentStore, MemoryStore
from .runfile import FileRuns


def make_memory(settings: Settings) -> MemoryStore:
    """Memory in files below the data folder. Raises StoreError when it cannot be written."""
    try_folder(settings.memory_dir, store="memory")
    return FileMemory(settings.memory_dir, settings.memory.durability)


def make_documents(settings: Settings) -> DocumentStore:
    """Documents as Markdown files. Raises StoreError when their folder cannot be written."""
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
