"""Writes values of 20 kB to memory for some seconds: FOLDER SECONDS KEY."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from scripts.runtime.stores.memory import FileMemory


async def _write(folder: Path, seconds: float, key: str) -> None:
    memory, text = FileMemory(folder), "x" * 20_000
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        await memory.put("shared:bench", key, f"{number}:{text}")
        number += 1
        await asyncio.sleep(0)
    await memory.close()


if __name__ == "__main__":
    asyncio.run(_write(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3]))
