"""What the exit code of a command says."""

from __future__ import annotations

SUCCESS = 0
FOUND = 1  # errors; with --strict warnings; with --check an output out of date
MISUSED = 2  # or a fault of the compiler itself
