"""What a generated service runs on: ordinary Python, copied as it is."""

__version__ = "0.1.0"
