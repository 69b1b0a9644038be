"""A flow that stands as one step in another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .context import FlowContext
from .flow import AnyFlow
from .runner import Record, Ticket
from .step import StepNode, listed


class Subflow(StepNode):
    """Runs a flow of its own on the same run; its result is the output of its last step.

    Inside, steps know only each other; outside they are `<step>.<inner step>`. With `for_each`
    it runs once for each item of an earlier step's list, one after the other, and its result is
    the list of their results.
    """

    kind = "flow"

    def __init__(
        self,
        step: str,
        build: Callable[[], AnyFlow],
        *,
        on_missing_doc: str | None = None,
        when: str | None = None,
        max_visits: int | None = None,
        for_each: tuple[str, ...] = (),
        max_items: int | None = None,
    ) -> None:
        super().__init__(step, when=when, max_visits=max_visits)
        self.build = build
        self.for_each = for_each
        self.max_items = max_items
        self.on_missing_doc = on_missing_doc

    async def prep_async(self, shared: Any) -> FlowContext:
        return FlowContext.of(shared)

    async def exec_async(self, prep_res: FlowContext) -> Record | None:
        context = prep_res
        ticket = self.reserve(context)
        if not self.applies(context):
            await self.skip(ticket, context)
            return None
        facts = {"flow": self.step, "visit": ticket.visit}
        again = ticket._replace(record=None)
        if ticket.record is None or context.rework is not None:
            # With changed documents only its steps can tell whether it is good.
            return await context.runner.step(again, facts, self._run_inside, (context, ticket))
        # Its steps have records of their own. They are gone through all the same, for what
        # they leave: how often each was visited, and the documents that they created.
        record = await self._run_inside((context, ticket))
        if record["output"] == ticket.record["output"]:
            return ticket.record
        # The flow inside is another one by now, and had more to do.
        return await context.runner.step(again, facts, _unchanged, record)

    async def _run_inside(self, call: tuple[FlowContext, Ticket]) -> Record:
        context, ticket = call
        if self.for_each:
            items = listed(context, self.step, self.for_each, self.max_items)
            output: Any = [
                await self._run_once(context, (number, len(items), item))
                for number, item in enumerate(items, 1)
            ]
        else:
            output = await self._run_once(context)
        return {"name": ticket.name, "output": output, "action": None}

    async def _run_once(
        self, context: FlowContext, item: tuple[int, int, Any] | None = None
    ) -> Any:
        inner = context.inside(self.step, self.on_missing_doc, item)
        await self.build().run_async(inner)  # type: ignore[arg-type]  # any object may be shared
        if context.rework is not None and inner.rework is not None:
            context.rework.set(self.step, inner.rework.age_of(inner.previous))
        return inner.last_output()

    async def post_async(
        self, shared: Any, prep_res: FlowContext, exec_res: Record | None
    ) -> str | None:
        if exec_res is not None:
            prep_res.results[self.step] = exec_res["output"]
            prep_res.agent_of[self.step] = ""
            prep_res.previous = (self.step,)
        return self.following(None)


async def _unchanged(record: Record) -> Record:
    return record
