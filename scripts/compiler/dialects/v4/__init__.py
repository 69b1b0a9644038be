"""BMAD v4: `.bmad-core/`, `bmad-core/`, expansion packs, and what is laid out like them."""

from .project import read, recognises

__all__ = ["read", "recognises"]
