"""A flow that stands as one step in another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .context import FlowContext
from .flow import AnyFlow
from .rework import Rework
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
            numbered = [(number, len(items), item) for number, item in enumerate(items, 1)]
            inner = [await self._run_once(context, item) for item in numbered]
            output: Any = [each.last_output() for each in inner]
        else:
            inner = [await self._run_once(context)]
            output = inner[0].last_output()
        if context.rework is not None:
            self._date(context.rework, inner)
        return {"name": ticket.name, "output": output, "action": None}

    async def _run_once(
        self, context: FlowContext, item: tuple[int, int, Any] | None = None
    ) -> FlowContext:
        inner = context.inside(self.step, self.on_missing_doc, item)
        if item is not None and context.rework is not None and inner.rework is not None:
            inner.rework.outer = max(inner.rework.outer, context.rework.age(self.for_each[0]))
        await self.build().run_async(inner)  # type: ignore[arg-type]  # any object may be shared
        return inner

    def _date(self, rework: Rework, inner: Sequence[FlowContext]) -> None:
        """What it came to is as new as the newest of its items, and as the list that they are."""
        ages = [each.rework.age_of(each.previous) for each in inner if each.rework is not None]
        if self.for_each:
            ages.append(rework.age(self.for_each[0]))
        rework.set(self.step, max(ages))

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
