"""What a step recalls: older entries that fit what it is about to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from ..context import FlowContext
from ..prompt import Sight, as_text, standing
from ..stores.protocol import Entry

MAX_PART: Final = 5_000  # characters of each thing seen that are part of the question


def recall_scopes(agent_id: str, scope: str, story_id: str) -> tuple[str, ...]:
    """Where a step looks: the scope it works in, and the agent's own memory of the story."""
    return tuple(dict.fromkeys((scope, f"{agent_id}:{story_id}")))


async def recalled(
    context: FlowContext, sight: Sight, agent_id: str, limit: int
) -> Sequence[Entry]:
    """At most `limit` entries, the most relevant first, none that stands in the sight already.

    For the member of a group they are those of the group's start. Raises StoreError.
    """
    recall = context.services.recall
    if recall is None:
        return ()
    names = recall_scopes(agent_id, sight.scope, context.story_id)
    without = standing(sight, context.services.settings.prompt)
    question = "\n".join(_question(sight))
    if context.recall_at_start is None:
        found = await recall.find(names, question, limit=limit, without=without)
        return [each.entry for each in found]
    entries = {
        (scope, entry.key): entry for scope in names for entry in context.memory_at_start[scope]
    }
    hits = await context.recall_at_start.find(names, question, limit=limit, without=without)
    known = ((hit, entries.get((hit.scope, hit.key))) for hit in hits)
    return [entry for hit, entry in known if entry is not None and entry.seq == hit.seq]


def _question(sight: Sight) -> Iterator[str]:
    """The run's input first: of a long question only the beginning is read."""
    yield sight.input[:MAX_PART]
    yield sight.command[:MAX_PART]
    if sight.item:
        yield as_text(sight.item[2])[:MAX_PART]
    for output in sight.outputs.values():
        yield as_text(output)[:MAX_PART]
    for text in sight.documents.values():
        yield text[:MAX_PART]
