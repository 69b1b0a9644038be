"""A place in a flow: what agents, gates and sub-flows have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from pocketflow import AsyncNode

from .condition import parse
from .context import FlowContext
from .errors import ItemsError, RunError, VisitsExceeded
from .runner import Ticket

if TYPE_CHECKING:  # PocketFlow's classes are generic in its stubs only, and know dicts only

    class _Base(AsyncNode[Any, Any, str | None]):
        async def run_async(self, shared: Any) -> str | None: ...

else:
    _Base = AsyncNode


class StepNode(_Base):
    """`step` is the place's id, `when` a condition as runtime/condition.py reads it.

    A node makes one attempt: retries are the executor's, in one place, and never PocketFlow's.
    """

    kind = "agent"

    def __init__(
        self, step: str, *, when: str | None = None, max_visits: int | None = None
    ) -> None:
        # What PocketFlow's own constructors set, without going through four of them.
        self.params: dict[str, Any] = {}
        self.successors: dict[str, Any] = {}
        self.max_retries, self.wait = 1, 0
        self.step = step
        self.when = when
        self.max_visits = max_visits

    def __copy__(self) -> Self:
        # PocketFlow copies a node at each step. Nodes are made afresh for every run
        # and keep nothing between visits, so a copy would cost and protect nothing.
        return self

    def reserve(self, context: FlowContext) -> Ticket:
        """This step's next place in the run. Raises VisitsExceeded when a loop went too often."""
        step = context.path + self.step if context.path else self.step
        ticket = context.runner.reserve(step, self.kind)
        if self.max_visits is not None and ticket.visit > self.max_visits:
            raise VisitsExceeded(step, self.max_visits)
        return ticket

    def applies(self, context: FlowContext) -> bool:
        """Whether its `when` is true, or absent."""
        if self.when is None:
            return True
        return parse(self.when).holds(context.inputs, context.results, context.story_id)

    async def skip(self, ticket: Ticket, context: FlowContext) -> None:
        """Leave it out this time, and say so."""
        context.results.pop(self.step, None)
        if self.step in context.previous:
            left = (step for step in context.previous if step != self.step)
            context.previous = tuple(left)  # in a loop nothing is left to be seen of it
        facts = {"when": self.when, "visit": ticket.visit}
        await context.runner.event("step.skipped", ticket.step, facts)

    def following(self, action: str | None) -> str | None:
        """The action for PocketFlow. Raises RunError where nothing would follow."""
        successors = self.successors
        if action is not None and action in successors:
            return action
        if not successors or "default" in successors:
            return None
        # PocketFlow would end the flow here with a warning, as if all were done.
        raise RunError(f"nothing follows action {action!r} of step {self.step!r}", step=self.step)


def listed(
    context: FlowContext, step: str, source: tuple[str, ...], max_items: int | None
) -> list[Any]:
    """The list that an earlier step gave. Raises ItemsError when there is none, or too long."""
    first, *names = source
    found = context.results.get(first)
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    where = ".".join(source)
    if not isinstance(found, list):
        raise ItemsError(f"for_each: {where} is no list", step=step)
    if max_items is not None and len(found) > max_items:
        raise ItemsError(
            f"for_each: {where} has {len(found)} items, max_items is {max_items}", step=step
        )
    return found
