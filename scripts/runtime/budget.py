"""What an agent may use up in one run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """A ceiling in tokens, in US dollars, or both; None means none."""

    tokens: int | None = None
    cost_usd: float | None = None
