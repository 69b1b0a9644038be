"""The stores that the settings ask for."""

from __future__ import annotations

from ..settings import Settings
from .documents import FileDocuments
from .memory import FileMemory
from .protocol import DocumentStore, MemoryStore
from .runfile import FileRuns


def make_memory(settings: Settings) -> MemoryStore:
    """Memory in files below the data folder."""
    return FileMemory(settings.memory_dir, settings.memory.durability)


def make_documents(settings: Settings) -> DocumentStore:
    """Documents as Markdown files."""
    return FileDocuments(settings.documents_dir, settings.memory.durability)


def make_runs(settings: Settings) -> FileRuns:
    """Runs that did not succeed, beside memory; what was too much already is removed."""
    runs = FileRuns(settings.memory_dir / "runs", settings.memory.durability)
    runs.sweep()
    return runs
