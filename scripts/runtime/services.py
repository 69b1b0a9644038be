"""What a run is served by: a model, memory, documents, tools and the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .assets import Assets
from .lanes import Lanes
from .models.mock import MockLLM
from .models.protocol import Model
from .models.select import Models
from .prices import Prices
from .recall.indexes import Recall
from .settings import Settings
from .stores.protocol import DocumentStore, MemoryStore
from .tool import Tool

if TYPE_CHECKING:
    from .tracing.tracing import Tracing


@dataclass(frozen=True, slots=True)
class Services:
    """Shared by all runs of a process. Without stores nothing outlives the run.

    `model` is the default one; `models` finds it, and those that agents ask for by name.
    `tracing` is there when spans are wanted.
    """

    model: Model = field(default_factory=MockLLM)
    memory: MemoryStore | None = None
    documents: DocumentStore | None = None
    tools: Mapping[str, Tool] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    tracing: Tracing | None = None
    assets: Assets = field(default_factory=lambda: Assets(Path("assets")))
    models: Models = field(init=False)
    lanes: Lanes = field(init=False)
    prices: Prices = field(init=False)
    keeps: bool = field(init=False)
    recall: Recall | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        object.__setattr__(self, "models", Models(self.settings, self.model))
        object.__setattr__(self, "keeps", bool(self.memory or self.documents))
        if self.memory is not None:
            object.__setattr__(self, "recall", Recall(self.memory, self._index_folder()))
        llm = self.settings.llm
        object.__setattr__(self, "lanes", Lanes(llm.max_concurrency, llm.limits))
        object.__setattr__(self, "prices", Prices(llm.prices, llm.base_url))

    def _index_folder(self) -> Path | None:
        """Beside memory; None where nobody said where data goes."""
        is_set = self.settings.data_dir != Settings().data_dir
        return self.settings.memory_dir / ".index" if is_set else None

    async def close(self) -> None:
        """Give back connections and files."""
        await self.models.close()
        if self.recall is not None:
            await self.recall.close()
        if self.memory is not None:
            await self.memory.close()
        if self.tracing is not None:
            await self.tracing.close()
