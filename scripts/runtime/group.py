"""Agents beside each other, as one node of a flow."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, Self

from pocketflow import AsyncNode

from .agent import Agent
from .context import FlowContext
from .node import AgentNode
from .schedule import NO_WAITS, Schedule
from .spec import document_name
from .waiting import together

if TYPE_CHECKING:
    _Base = AsyncNode[Schedule, None, None]
else:
    _Base = AsyncNode


class ParallelGroup(_Base):
    """Runs its members, each as early as it can; there is no barrier between their layers."""

    def __init__(self, *members: AgentNode) -> None:
        super().__init__()
        self.members = members
        self._places: dict[Agent, int] = {member: place for place, member in enumerate(members)}
        for member in members:
            member.group = self
        self.waits = self._waits()

    def __copy__(self) -> Self:
        return self  # as in StepNode

    def _waits(self) -> list[frozenset[int]]:
        """Whom each member waits for, by their places: agents, and who creates its documents."""
        if not any(member.wait_for_agents or member.required for member in self.members):
            return [NO_WAITS] * len(self.members)
        agents: dict[str, list[int]] = {}
        creators: dict[str, list[int]] = {}
        for member, place in self._places.items():
            agents.setdefault(member.id, []).append(place)
            if member.creates:
                creators.setdefault(document_name(member.creates), []).append(place)
        found = []
        for member, place in self._places.items():
            waits = [agents.get(agent, ()) for agent in member.wait_for_agents]
            waits += [creators.get(document_name(name), ()) for name in member.required]
            found.append(frozenset(chain.from_iterable(waits)) - {place})
        return found

    async def prep_async(self, shared: Any) -> Schedule:
        context = FlowContext.of(shared)
        for member in self.members:  # in file order, before anything starts
            member.reserved = member.reserve(context)
        if context.services.memory is not None:
            await self._look(context)
        return Schedule(context, self.members, self.waits)

    async def _look(self, context: FlowContext) -> None:
        """Hold on to what memory is now: what members write is not seen by the others."""
        scopes = {member.scope(context): member.step for member in reversed(self.members)}
        looked: list[str] = []
        for member in self.members:
            if member.memory_recall:
                looked += member.recall_scopes(context)
                scopes = dict.fromkeys(member.recall_scopes(context), member.step) | scopes
        entries = await together(context.memory(*each) for each in scopes.items())
        context.memory_at_start = dict(zip(scopes, entries, strict=True))
        if looked and context.services.recall is not None:
            context.recall_at_start = await context.services.recall.frozen(looked)

    async def exec_async(self, prep_res: Schedule) -> None:
        try:
            await prep_res.run()
        finally:
            frozen, prep_res.context.recall_at_start = prep_res.context.recall_at_start, None
            if frozen is not None:
                await frozen.close()

    async def post_async(self, shared: Any, prep_res: Schedule, exec_res: None) -> None:
        context = prep_res.context
        context.memory_at_start = {}
        context.previous = tuple(
            member.step for member in self.members if member.step in context.results
        )

    def added(self, member: Agent, context: FlowContext) -> Mapping[str, Any]:
        """What those that a member waited for wrote into its scope since the group started."""
        place = self._places[member]
        if not self.waits[place]:
            return {}
        scope = member.scope(context)
        before = sorted(self._ancestors(place), reverse=True)
        return {
            other.step: context.results[other.step]
            for other in (self.members[place] for place in before)
            if other.scope(context) == scope and other.step in context.results
        }

    def _ancestors(self, place: int) -> set[int]:
        found: set[int] = set()
        todo = list(self.waits[place])
        while todo:
            other = todo.pop()
            if other not in found:
                found.add(other)
                todo.extend(self.waits[other])
        return found
