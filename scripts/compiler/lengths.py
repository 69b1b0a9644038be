"""Names of documents that no story's id leaves room for."""

from __future__ import annotations

from typing import Final, NamedTuple

from ..runtime import spec
from . import graph
from .diagnostics import Diagnostics
from .model import AgentStep, Step, Subflow
from .subflows import Subflows

# A story's id has one character at least.
ROOM: Final = spec.MAX_DOCUMENT_ID - len(spec.story_document("S", ""))


class Lengths(NamedTuple):
    """How long names become: those of a flow's steps, and of what they create."""

    steps: int = 0
    created: int = 0

    @property
    def fit(self) -> bool:
        return max(self) <= ROOM


class LengthCheck:
    """Names as `runtime/keeping.py` makes them, the story left out; each flow looked at once."""

    def __init__(self, subflows: Subflows, diagnostics: Diagnostics) -> None:
        self.subflows = subflows
        self.diagnostics = diagnostics
        self._known: dict[str, Lengths] = {}

    def run(self) -> None:
        """Report each step by which a name first becomes too long."""
        for flow in self.subflows.flows.values():
            for step in flow.steps():
                is_told = isinstance(step, Subflow) and not self._of_flow(step.flow).fit
                if not is_told and not self._of_step(step).fit:
                    message = f"a document of {step.id} would have a name that fits no story's id"
                    hint = "shorten the ids of the steps that lead to it, or its creates"
                    self.diagnostics.add("BMAD317", step.at, message, hint)

    def _of_flow(self, name: str) -> Lengths:
        if name not in self._known:
            self._known[name] = Lengths()  # for a flow that runs itself, which is told elsewhere
            flow = self.subflows.flows.get(name)
            found = [self._of_step(step) for step in flow.steps()] if flow is not None else []
            self._known[name] = Lengths(
                max((each.steps for each in found), default=0),
                max((each.created for each in found), default=0),
            )
        return self._known[name]

    def _of_step(self, step: Step) -> Lengths:
        digits = len(_number(step))
        behind = digits and digits + len("__")
        if isinstance(step, Subflow):
            inner = self._of_flow(step.flow)
            ahead = len(step.id) + len(".") + (digits and digits + len("."))
            return Lengths(ahead + inner.steps, inner.created and inner.created + behind)
        made = graph.created(step, self.subflows.agents)
        return Lengths(len(step.id) + behind, len(spec.document_name(made or "")))


def _number(step: Step) -> str:
    """The number of its last item; of a list without a bound, of its first."""
    if isinstance(step, AgentStep | Subflow) and step.for_each is not None:
        return str(step.max_items or 1)
    return ""
