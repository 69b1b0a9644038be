"""A flow by its name, and the place where one ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pocketflow import AsyncFlow, AsyncNode

if TYPE_CHECKING:
    AnyFlow = AsyncFlow[Any, Any]
    _Base = AsyncNode[None, None, None]
else:
    AnyFlow, _Base = AsyncFlow, AsyncNode


@dataclass(frozen=True, slots=True)
class Flow:
    """`build` wires fresh nodes for one run; `on_missing_doc` None means the configured one."""

    name: str
    build: Callable[[], AnyFlow]
    description: str = ""
    on_missing_doc: str | None = None


class End(_Base):
    """Where an action leads that ends the flow: said in words, so that no run ends by a typo."""
