"""Agents written for other programs: Claude Code, Copilot, Agent Skills, CrewAI."""

from .crewai import read as read_crew
from .crewai import recognises as is_crew
from .markdown import read as read_agents
from .markdown import recognises as has_agents
from .prose import read as read_prose
from .prose import recognises as is_prose

__all__ = ["has_agents", "is_crew", "is_prose", "read_agents", "read_crew", "read_prose"]
