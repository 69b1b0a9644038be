"""Work beside each other: each piece starts as soon as what it waits for is done."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from .context import FlowContext
from .errors import RunError
from .runner import StepBlocked

NO_WAITS: Final[frozenset[int]] = frozenset()


class Member(Protocol):
    """A piece of work; `step` is its name in messages."""

    @property
    def step(self) -> str: ...

    async def waited(self, context: FlowContext, seconds: float) -> None:
        """Say that it had to wait so long for a place in the run."""
        ...

    async def visit(self, context: FlowContext, /) -> object: ...


@dataclass(slots=True)
class Schedule:
    """Counts what each member waits for, by place, and starts those that wait for none.

    A member's failure does not stop its siblings: they finish, members that wait
    for it do not start, then the first failure in the members' order is raised.
    `since` tells when those became ready that had to wait for a place in the run.
    """

    context: FlowContext
    members: Sequence[Member]
    waits: Sequence[frozenset[int]]
    ready: deque[int] = field(default_factory=deque)
    unmet: list[int] = field(default_factory=list)
    followers: dict[int, list[int]] = field(default_factory=dict)
    failed: dict[int, Exception] = field(default_factory=dict)
    blocked: list[StepBlocked] = field(default_factory=list)
    since: dict[int, float] = field(default_factory=dict)
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
            raise StepBlocked.of(self.blocked)
        if self.done < len(self.members):
            both = zip(self.members, self.unmet, strict=True)
            waiting = ", ".join(member.step for member, left in both if left)
            raise RunError(f"steps wait for each other in a circle: {waiting}")

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
        if len(self.ready) > wanted:
            now = time.monotonic()
            self.since = dict.fromkeys(itertools.islice(self.ready, wanted, None), now)

    async def _help(self) -> None:
        while self.ready:
            place = self.ready.popleft()
            try:
                if self.since:
                    await self._tell(place)
                await self.members[place].visit(self.context)
            except StepBlocked as blocked:
                self.blocked.append(blocked)
            except Exception as error:  # noqa: BLE001 - kept, and raised when the siblings are done
                self.failed[place] = error
            else:
                self._done(place)
        self.workers -= 1

    async def _tell(self, place: int) -> None:
        since = self.since.pop(place, None)
        if since is not None:
            await self.members[place].waited(self.context, time.monotonic() - since)

    def _done(self, place: int) -> None:
        self.done += 1
        for follower in self.followers.get(place, ()):
            self.unmet[follower] -= 1
            if not self.unmet[follower]:
                self.ready.append(follower)
        if self.ready and self.spawn is None:
            self._want_workers()
