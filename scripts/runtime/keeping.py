"""The names under which a run keeps its documents: whether they fit, before anything is paid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .errors import InvalidName
from .flow import AnyFlow
from .node import AgentNode
from .nodes import own_places
from .run import RunRequest
from .spec import MAX_DOCUMENT_ID, document_name, story_document
from .subflow import Subflow

_MOST_ITEMS: Final = 999_999  # of a list without a bound: more than an answer can hold


class Keeping:
    """The longest name of each flow and agent; looked for once, at the first run."""

    def __init__(self, save_outputs: str) -> None:
        self._outputs = save_outputs == "all"
        self._created = save_outputs != "none"
        self._longest: dict[str, str] = {}

    def check(self, request: RunRequest, graph: AnyFlow) -> None:
        """Raises InvalidName for a story's id that leaves a name no room."""
        key = request.flow if request.agent is None else f"agent:{request.agent}"
        longest = self._longest.get(key)
        if longest is None:
            longest = max(self._names(graph), key=len, default="")
            self._longest[key] = longest
        if request.documents:
            longest = max(longest, *map(document_name, request.documents), key=len)
        if len(request.story_id) + len(longest) + 2 > MAX_DOCUMENT_ID:
            room = MAX_DOCUMENT_ID - len(story_document("", longest))
            raise InvalidName(
                "story_id",
                f"has at most {max(room, 0)} characters here: with it a document is named "
                f"{story_document('…', longest)}, and a name has at most {MAX_DOCUMENT_ID}",
            )

    def _names(self, graph: AnyFlow, path: str = "", suffix: str = "") -> Iterator[str]:
        """Without the story; those of the flows inside too, with numbers as long as can be."""
        for node in own_places(graph):
            item = f"{node.max_items or _MOST_ITEMS}" if node.for_each else ""
            if isinstance(node, Subflow):
                inner = f"{path}{node.step}." + (f"{item}." if item else "")
                yield from self._names(node.build(), inner, suffix + (f"__{item}" if item else ""))
            else:
                yield from self._names_of(node, path, suffix, item)

    def _names_of(self, node: AgentNode, path: str, suffix: str, item: str) -> Iterator[str]:
        if self._outputs:
            yield f"{path}{node.step}" + (f"__{item}" if item else "")
        if self._created and node.creates is not None:
            yield document_name(node.creates) + suffix
        for name in (*node.required, *node.reads):
            yield document_name(name) + suffix
