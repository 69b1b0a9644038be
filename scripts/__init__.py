"""bmad2pf: agents written in Markdown become a PocketFlow service."""

__version__ = "0.1.0"
