"""Agents beside each other: each starts as soon as what it waits for is done."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from pocketflow import AsyncNode

from .context import FlowContext, StepBlocked
from .errors import RunError
from .node import AgentNode
from .spec import document_name

if TYPE_CHECKING:
    _Base = AsyncNode["Schedule", None, None]
else:
    _Base = AsyncNode

NO_WAITS: Final[frozenset[int]] = frozenset()


class ParallelGroup(_Base):
    """One node that runs its members; there is no barrier between their layers.

    A member's failure does not stop its siblings: they finish, members that wait
    for it do not start, then the first failure in file order is raised.
    """

    def __init__(self, *members: AgentNode) -> None:
        super().__init__()
        self.members = members
        for member in members:
            member.in_group = True
        self.waits = [self._waits_of(member) for member in members]

    def __copy__(self) -> Self:
        return self  # as in AgentNode

    def _waits_of(self, member: AgentNode) -> frozenset[int]:
        if not member.wait_for_agents and not member.required:
            return NO_WAITS
        agents = set(member.wait_for_agents)
        documents = set(map(document_name, member.required))
        return frozenset(
            place
            for place, other in enumerate(self.members)
            if other is not member
            and (
                other.id in agents or (other.creates and document_name(other.creates) in documents)
            )
        )

    async def prep_async(self, shared: Any) -> Schedule:
        context = FlowContext.of(shared)
        for member in self.members:  # in file order, before anything starts
            member.reserved = member.reserve(context)
        if context.services.memory is not None:
            scopes = dict.fromkeys(member.scope(context) for member in self.members)
            context.memory_at_start = {scope: await context.memory(scope) for scope in scopes}
        return Schedule(context, self.members, self.waits)

    async def exec_async(self, prep_res: Schedule) -> None:
        await prep_res.run()

    async def post_async(self, shared: Any, prep_res: Schedule, exec_res: None) -> None:
        context = prep_res.context
        context.memory_at_start = {}
        context.previous = tuple(member.step for member in self.members)


@dataclass(slots=True)
class Schedule:
    """One run of a group: counts what each member waits for, starts those that wait for none."""

    context: FlowContext
    members: tuple[AgentNode, ...]
    waits: list[frozenset[int]]
    ready: deque[int] = field(default_factory=deque)
    unmet: list[int] = field(default_factory=list)
    followers: dict[int, list[int]] = field(default_factory=dict)
    failed: dict[int, Exception] = field(default_factory=dict)
    blocked: list[str] = field(default_factory=list)
    done: int = 0
    workers: int = 1
    tasks: asyncio.TaskGroup = field(default_factory=asyncio.TaskGroup)
    spawn: asyncio.Handle | None = None

    async def run(self) -> None:
        """Run all that can run. Raises the first failure, else StepBlocked."""
        self._plan()
        try:
            async with self.tasks:
                self._want_workers()
                await self._help()
        finally:
            if self.spawn is not None:
                self.spawn.cancel()
        if self.failed:
            raise self.failed[min(self.failed)]
        if self.blocked:
            raise StepBlocked(tuple(dict.fromkeys(self.blocked)))
        if self.done < len(self.members):
            waiting = [
                member.step for member, left in zip(self.members, self.unmet, strict=True) if left
            ]
            raise RunError(f"steps wait for each other in a circle: {', '.join(waiting)}")

    def _plan(self) -> None:
        for place, waits in enumerate(self.waits):
            self.unmet.append(len(waits))
            if not waits:
                self.ready.append(place)
            for other in waits:
                self.followers.setdefault(other, []).append(place)

    def _want_workers(self) -> None:
        # The others are started when the loop comes round, that is when someone has to
        # wait: members that are done at once need no task each.
        if self.ready and self.spawn is None and self.workers < self._limit():
            self.spawn = asyncio.get_running_loop().call_soon(self._start_workers)

    def _limit(self) -> int:
        return self.context.services.settings.runs.max_parallel_agents

    def _start_workers(self) -> None:
        self.spawn = None
        wanted = min(len(self.ready), self._limit() - self.workers)
        for _ in range(wanted):
            self.workers += 1
            self.tasks.create_task(self._help())

    async def _help(self) -> None:
        await self._work()
        self.workers -= 1

    async def _work(self) -> None:
        while self.ready:
            place = self.ready.popleft()
            member = self.members[place]
            if self.context.memory_at_start and self.waits[place]:
                member.memory_added = self._added(place)
            try:
                await member.visit(self.context)
            except StepBlocked as blocked:
                self.blocked.extend(blocked.documents)
            except Exception as error:  # noqa: BLE001 - kept, and raised when the siblings are done
                self.failed[place] = error
            else:
                self._done(place)

    def _done(self, place: int) -> None:
        self.done += 1
        for follower in self.followers.get(place, ()):
            self.unmet[follower] -= 1
            if not self.unmet[follower]:
                self.ready.append(follower)
        if self.ready and self.spawn is None:
            self._want_workers()

    def _added(self, place: int) -> Mapping[str, Any]:
        """What those it waited for wrote into its scope since the group started."""
        context = self.context
        scope = self.members[place].scope(context)
        before = (self.members[other] for other in sorted(self._ancestors(place), reverse=True))
        return {
            other.step: context.results[other.step]
            for other in before
            if other.scope(context) == scope
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
