"""The stores that the settings ask for."""

from __future__ import annotations

from ..settings import Settings
from .documents import FileDocuments
from .memory import FileMemory
from .protocol import DocumentStore, MemoryStore


def make_memory(settings: Settings) -> MemoryStore:
    """Memory in files below the data folder."""
    return FileMemory(settings.memory_dir, settings.memory.durability)


def make_documents(settings: Settings) -> DocumentStore:
    """Documents as Markdown files."""
    return FileDocuments(settings.documents_dir, settings.memory.durability)
