"""An agent as a PocketFlow node: prep gathers what it sees, exec asks, post records."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from .agent import Agent
from .ask import Conversation
from .context import FlowContext
from .errors import RunError
from .items import conversations, visit_each
from .output import as_document, keep
from .recall.recalled import recall_scopes
from .request import prepare
from .runner import Record
from .spec import document_name
from .view import look_up, steps_in_view, view


class AgentNode(Agent):
    """The base of every generated agent: what it does at a visit."""

    def recall_scopes(self, context: FlowContext) -> tuple[str, ...]:
        """Where it recalls from, when it does."""
        return recall_scopes(self.id, self.scope(context), context.story_id)

    async def prep_async(self, shared: Any) -> Conversation:
        context: FlowContext = shared if type(shared) is FlowContext else FlowContext.of(shared)
        ticket = self.reserved
        if ticket is None:
            ticket = self.reserve(context)
        else:
            self.reserved = None
        talk = Conversation(context, ticket)
        if self.when is not None and not self.applies(context):
            talk.skipped = True
            return talk
        try:
            if self.for_each:
                talk.items = await conversations(self, talk, self._judge)
                return talk
            if context.rework is not None:
                self._judge(talk)
            if talk.ticket.record is None:
                sight = view(self, context)
                if self.required or self.reads or context.services.memory is not None:
                    await look_up(self, sight, context)
                prepare(self, talk, sight)
        except RunError as fault:  # such as a store that cannot be read
            fault.step = fault.step or ticket.step
            raise
        return talk

    async def waited(self, context: FlowContext, seconds: float) -> None:
        """Say that it had to wait in its group, for a place in the run."""
        if self.reserved is not None and self.reserved.record is None:
            await Conversation(context, self.reserved).queued("run", seconds)

    async def visit(self, shared: Any, /) -> str | None:
        """What PocketFlow does at a step of a flow, by a shorter way through the same parts."""
        talk = await self.prep_async(shared)
        return self._done(talk, await self.exec_async(talk))

    _run_async = visit  # type: ignore[assignment]  # its stubs know dicts only

    def exec_async(self, prep_res: Conversation) -> Coroutine[Any, Any, Record]:
        if prep_res.skipped:
            return self._left_out(prep_res)
        if prep_res.items is not None:
            return visit_each(self, prep_res, prep_res.items, self._step)
        return self._step(prep_res)

    async def post_async(self, shared: Any, prep_res: Conversation, exec_res: Record) -> str | None:
        return self._done(prep_res, exec_res)

    def _done(self, talk: Conversation, record: Record) -> str | None:
        if talk.skipped:
            return self.following(None)
        context, output = talk.context, record["output"]
        context.results[self.step] = output
        context.agent_of[self.step] = self.id
        if self.creates is not None:
            context.created(talk.ticket, document_name(self.creates), as_document(output))
        if context.rework is not None:
            talks = talk.items or [talk]
            context.rework.note(self.step, [each.ticket for each in talks], self.creates)
        if self.group is None:
            context.previous = (self.step,)
        action = record["action"]
        return None if action is None and not self.successors else self.following(action)

    def _judge(self, talk: Conversation) -> None:
        """Take the record away from a step that has to run again."""
        ticket, rework = talk.ticket, talk.context.rework
        if ticket.record is None or rework is None:
            return
        steps = steps_in_view(self, talk.context)
        if self.for_each:
            steps = [*(steps or ()), self.for_each[0]]
        documents = (*self.required, *self.reads)
        talk.because = rework.fault(ticket, steps, documents, self.creates) or ""
        if talk.because:
            talk.ticket = ticket._replace(record=None)

    async def _left_out(self, talk: Conversation) -> Record:
        await self.skip(talk.ticket, talk.context)
        return {}

    def _step(self, talk: Conversation) -> Coroutine[Any, Any, Record]:
        ticket = talk.ticket
        if ticket.record is not None and talk.context.rework is not None:
            return talk.context.reuse(ticket, talk.context.rework.reason(self.creates))
        facts: Record = {"agent": self.id, "visit": ticket.visit}
        if talk.item is not None:
            facts["item"] = talk.item
        if talk.cut:
            facts["cut"] = list(talk.cut)
        if talk.missing:
            facts["missing_docs"] = list(talk.missing)
        if talk.because:
            facts["because"] = talk.because
        return talk.context.runner.step(ticket, facts, self._work, talk)

    async def _work(self, talk: Conversation) -> Record:
        context = talk.context
        places = context.places
        waited = 0.0 if places.take_now() else await places.take()
        try:
            if waited:
                await talk.queued("run", waited)
            await talk.hold()
        finally:
            places.give()
        if context.services.keeps and not context.command:
            await keep(self, talk)
        record: Record = {
            "name": talk.ticket.name,
            "agent": self.id,
            "output": talk.result,
            "action": talk.action,
            **talk.bill(),
            "finish_reason": talk.reply.finish_reason,
        }
        if talk.item is not None:
            record["item"] = talk.item
        return record
