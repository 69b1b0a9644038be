"""BMAD v6 in all its forms: agents in YAML, in XML and as skills; workflows; module tables."""

from .project import read, recognises

__all__ = ["read", "recognises"]
