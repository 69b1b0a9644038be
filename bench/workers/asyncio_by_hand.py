"""The floor: what a person would write with asyncio alone."""

from __future__ import annotations

import asyncio

from ..shapes import named
from .loop import Run, answer, serve


def build(shape: str, delay: float) -> Run:
    """Layer after layer; a layer of one is awaited, a wider one gathered."""
    layers = named(shape)

    async def run() -> int:
        results: dict[str, str] = {}
        for layer in layers:
            if len(layer) == 1:
                results[layer[0]] = await answer(delay)
            else:
                texts = await asyncio.gather(*(answer(delay) for _ in layer))
                results.update(zip(layer, texts, strict=True))
        return len(results)

    return run


if __name__ == "__main__":
    serve(build)
