"""The spans of one run, drawn from its event log."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Tracer, get_current_span, set_span_in_context

from ..events import TERMINAL, Event
from . import names

_OTHER_TOOL: Final = "other"  # a model may write any name
# Told as events of the span that they happened in, with these of their facts.
_TOLD: Final[Mapping[str, tuple[str, ...]]] = {
    "step.retrying": ("attempt", "wait_s"),
    "step.queued": ("reason", "waited_ms"),
    "step.skipped": ("visit",),
    "step.reused": (),
    "step.incomplete": (),
}

Key = tuple[str | None, int | None]  # a step and its item
WANTED: Final = frozenset(
    {"run.started", "step.started", "step.completed", "step.failed", "step.tool"}
    | {*_TOLD, *TERMINAL}
)


class RunSpans:
    """A listener of a run's log: the run, its steps and their tools, each within what holds it.

    A run of a flow is `invoke_workflow`, a step `invoke_agent`, or `invoke_workflow` again for
    a flow within the flow. An agent that runs alone is in no workflow.
    """

    def __init__(
        self, tracer: Tracer, run_id: str, flow: str, story_id: str, tools: Collection[str]
    ) -> None:
        """`flow` is empty for an agent alone; `tools` are the names that exist."""
        self._tracer = tracer
        self._flow = flow
        self._tools = tools
        self._shared: names.Attributes = {names.RUN_ID: run_id, names.CONVERSATION: story_id}
        self._run = get_current_span()  # the request's, until there is one of its own
        self._open: dict[Key, Span] = {}
        self._drawn: Mapping[str, Callable[[Event], None]] = {
            "run.started": self._begin,
            "step.started": self._enter,
            "step.completed": self._leave,
            "step.failed": self._leave,
            "step.tool": self._tool,
            **dict.fromkeys(_TOLD, self._tell),
            **dict.fromkeys(TERMINAL, self._end),
        }

    def hear(self, event: Event) -> None:
        """Draw what happened."""
        draw = self._drawn.get(event.type)
        if draw is not None:
            draw(event)

    def inside(self, step: str, item: int | None) -> Context:
        """The context of what goes on in a step."""
        return set_span_in_context(self._of(step, item))

    def _of(self, step: str | None, item: int | None) -> Span:
        return self._open.get((step, item)) or self._around(step)

    def _around(self, step: str | None) -> Span:
        """What holds a step: the flow that it stands in, in the end the run."""
        while step and "." in step:
            step = step.rpartition(".")[0]
            if (step, None) in self._open:
                return self._open[step, None]
        return self._run

    def _begin(self, event: Event) -> None:
        if self._flow:
            facts = {names.OPERATION: "invoke_workflow", names.WORKFLOW: self._flow}
            self._run = self._tracer.start_span(
                f"invoke_workflow {self._flow}",
                attributes={**facts, **self._shared},
                start_time=_ns(event.time),
            )

    def _enter(self, event: Event) -> None:
        data, step = event.data, str(event.step)
        facts: names.Attributes = {names.STEP: step, names.VISIT: data["visit"]}
        if "agent" in data:
            operation, name = "invoke_agent", data["agent"]
            facts |= {names.AGENT_ID: name, names.AGENT_NAME: name}
        else:
            operation, name = "invoke_workflow", data["flow"]
            facts[names.WORKFLOW] = name
        facts[names.OPERATION] = operation
        if "item" in data:
            facts[names.ITEM] = data["item"]
        self._open[_key(event)] = self._tracer.start_span(
            f"{operation} {name}",
            context=set_span_in_context(self._around(event.step)),
            attributes={**facts, **self._shared},
            start_time=_ns(event.time),
        )

    def _leave(self, event: Event) -> None:
        span = self._open.pop(_key(event), None)
        if span is None:  # a gate's decision, or an empty list
            self._around(event.step).add_event(event.type, {names.STEP: str(event.step)})
            return
        span.set_attributes(names.paid(event.data))
        if event.data.get("action"):
            span.set_attribute(names.ACTION, event.data["action"])
        if event.type == "step.failed":
            names.fail(span, event.data["error"]["code"])
        span.end(_ns(event.time))

    def _tool(self, event: Event) -> None:
        data = event.data
        name = data["tool"] if data["tool"] in self._tools else _OTHER_TOOL
        facts = {names.OPERATION: "execute_tool", names.TOOL: name, names.TOOL_TYPE: "function"}
        span = self._tracer.start_span(
            f"execute_tool {name}",
            context=self.inside(str(event.step), data.get("item")),
            kind=SpanKind.INTERNAL,
            attributes={**facts, **self._shared},
            start_time=_ns(event.time - data["duration_ms"] / 1000),
        )
        if data["status"] != "ok":
            names.fail(span, "tool_failed")
        span.end(_ns(event.time))

    def _tell(self, event: Event) -> None:
        facts = {f"bmad2pf.{key}": event.data[key] for key in _TOLD[event.type]}
        span = self._of(event.step, event.data.get("item"))
        span.add_event(event.type, {names.STEP: str(event.step), **facts}, _ns(event.time))

    def _end(self, event: Event) -> None:
        answer: Mapping[str, Any] = event.data["answer"]
        end, error = _ns(event.time), answer["error"]
        for span in reversed(self._open.values()):  # broken off, or waiting for someone
            if error is not None:
                names.fail(span, names.CANCELLED)
            span.end(end)
        self._open.clear()
        if self._flow:
            self._run.set_attribute(names.STATUS, event.type.removeprefix("run."))
            if error is not None:
                names.fail(self._run, error["code"])
            self._run.end(end)


def _key(event: Event) -> Key:
    return event.step, event.data.get("item")


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
