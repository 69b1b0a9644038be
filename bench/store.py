"""What a write and a read of the stores cost, beside other ways: `python -m bench.store`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from .options import deliver, parse
from .report import Report
from .stores import documents, files, reads

# Each has `measure(report, folder, options)`: it adds its tables, aims and notes.
_PARTS: Final = {"files": files, "documents": documents, "reads": reads}


def main(arguments: list[str] | None = None) -> None:
    """Measure one store after the other, then print the tables and the aims."""
    options = parse(__doc__ or "", arguments)
    report = Report("Store", options.rounds)
    with tempfile.TemporaryDirectory(prefix="bench-store-") as name:
        for part, module in _PARTS.items():
            folder = Path(name, part)
            folder.mkdir()
            module.measure(report, folder, options)
    deliver(report, options)


if __name__ == "__main__":
    main()
