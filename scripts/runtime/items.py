"""A step for each item of a list: its visits, and their schedule."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from .agent import Agent
from .ask import Conversation
from .context import FlowContext
from .request import prepare
from .runner import Record
from .schedule import NO_WAITS, Schedule
from .step import listed
from .view import look_up, recall, view

Visit = Callable[[Conversation], Coroutine[Any, Any, Record]]


async def conversations(
    agent: Agent, talk: Conversation, judge: Callable[[Conversation], None]
) -> list[Conversation]:
    """One for each item, in their order; `judge` says which of those that are done hold good."""
    context = talk.context
    items = listed(context, agent.step, agent.for_each, agent.max_items)
    sight = view(agent, context)
    await look_up(agent, sight, context)
    # An item stands for the list that it is from.
    sight.outputs = {k: v for k, v in sight.outputs.items() if k != agent.for_each[0]}
    found = []
    for number, item in enumerate(items):
        one = Conversation(context, context.runner.item(talk.ticket, number))
        one.item = number
        judge(one)
        if one.ticket.record is None:
            sight.item = (number + 1, len(items), item)
            if agent.memory_recall and sight.scope:
                await recall(agent, sight, context)
            prepare(agent, one, sight)
        found.append(one)
    return found


async def visit_each(
    agent: Agent, talk: Conversation, items: Sequence[Conversation], visit: Visit
) -> Record:
    """Their outputs as a list, in their order."""
    members = [_Item(one, visit) for one in items]
    if not members:
        facts = {"agent": agent.id, "visit": talk.ticket.visit}
        empty: Record = {"name": talk.ticket.name, "agent": agent.id, "output": [], "action": None}
        return await talk.context.runner.step(talk.ticket, facts, _same, empty)
    await Schedule(talk.context, members, [NO_WAITS] * len(members)).run()
    return {"output": [member.record["output"] for member in members], "action": None}


async def _same(record: Record) -> Record:
    return record


class _Item:
    """One of them, as a member of its schedule."""

    __slots__ = ("_talk", "_visit", "record")

    def __init__(self, talk: Conversation, visit: Visit) -> None:
        self._talk = talk
        self._visit = visit
        self.record: Record = {}

    @property
    def step(self) -> str:
        return self._talk.ticket.name

    async def waited(self, context: FlowContext, seconds: float) -> None:
        if self._talk.ticket.record is None:
            await self._talk.queued("run", seconds)

    async def visit(self, context: FlowContext) -> None:
        self.record = await self._visit(self._talk)
