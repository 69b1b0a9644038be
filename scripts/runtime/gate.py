"""A step that waits for a person."""

from __future__ import annotations

from typing import Any

from .context import FlowContext
from .rework import UNTOUCHED
from .runner import Question, Record, Ticket
from .step import StepNode


class Gate(StepNode):
    """Asks `question`; the person chooses one of `actions`. Its result is `{action, comment}`."""

    kind = "gate"

    def __init__(
        self,
        step: str,
        *,
        question: str = "",
        actions: tuple[str, ...] = ("approve", "reject"),
        when: str | None = None,
        max_visits: int | None = None,
    ) -> None:
        super().__init__(step, when=when, max_visits=max_visits)
        self.question = question
        self.actions = actions

    async def prep_async(self, shared: Any) -> tuple[FlowContext, Ticket]:
        context = FlowContext.of(shared)
        return context, self.reserve(context)

    async def exec_async(self, prep_res: tuple[FlowContext, Ticket]) -> Record | None:
        context, ticket = prep_res
        if not self.applies(context):
            await self.skip(ticket, context)
            return None
        if context.rework is not None and ticket.record is not None:
            if context.rework.fault(ticket, context.previous or None) is None:
                context.rework.note(self.step, (ticket,), None)
                return await context.reuse(ticket, UNTOUCHED)
            ticket = ticket._replace(record=None)  # what was decided on is not what there is now
        question = Question(ticket.step, self.question, self.actions, ticket.visit)
        record = await context.runner.human(ticket, question)
        if context.rework is not None:
            context.rework.note(self.step, (ticket,), None)
        return record

    async def post_async(
        self, shared: Any, prep_res: tuple[FlowContext, Ticket], exec_res: Record | None
    ) -> str | None:
        if exec_res is None:
            return self.following(None)
        context, _ = prep_res
        # What follows sees the decision beside what was decided on.
        context.results[self.step] = exec_res["output"]
        context.agent_of[self.step] = ""
        context.previous = (*context.previous, self.step)
        return self.following(exec_res["action"])
