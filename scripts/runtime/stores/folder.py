"""Whether a folder can hold data, found out at the start and not by the first client."""

from __future__ import annotations

import secrets
from pathlib import Path

from ..errors import StoreError


def try_folder(path: Path, *, store: str) -> None:
    """Make `path` if need be, write a file and remove it. Raises StoreError, naming `path`."""
    probe = path / f".{secrets.token_hex(8)}.tmp"
    try:
        path.mkdir(mode=0o700 if store == "memory" else 0o777, parents=True, exist_ok=True)
        try:
            probe.write_bytes(b"x")
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(f"the folder {path} cannot hold {store}: {reason}", store=store) from None
