"""Whether a request goes on with a run, and from where."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .errors import Conflict, DecisionError, InvalidName, SourcesChanged
from .near import aside, near
from .nodes import steps_in
from .run import RunRequest
from .runner import Decision
from .spec import document_name, story_document
from .stores.runs import Kept, Line, again_line, had_line

if TYPE_CHECKING:
    from .flow import AnyFlow

ITEM: Final = re.compile(r"(__\d+)+\Z")  # of a `for_each`: `story__2`


@dataclass(frozen=True, slots=True)
class Course:
    """How a request is met: `kept` is gone on with, None starts afresh.

    `reused` is a run that succeeded and whose steps are reused as far as they still hold;
    `changed` names the documents that are new; `moved` tells that the sources are not those it
    was begun with; `decision` is what a gate is still to be told.
    """

    kept: Kept | None
    decision: Decision | None = None
    reused: Kept | None = None
    changed: tuple[str, ...] = ()
    moved: bool = False

    def lines(
        self, first: Callable[[], Line], now: float, sources: Mapping[str, str]
    ) -> list[Line]:
        """What is written down of the attempt before it begins; `first` is a new run's."""
        if self.kept is not None:
            if not (self.moved or self.changed):
                return []
            return [again_line(self.kept.seq, now, sources, self.changed)]
        lines = [first()]
        if self.reused is not None:
            lines += map(had_line, self.reused.steps)
        if self.changed:
            lines.append(again_line(0, now, sources, self.changed))
        return lines


def course(
    request: RunRequest,
    kept: Kept | None,
    sources: Mapping[str, str],
    finished: Callable[[], Kept | None],
) -> Course:
    """What is to be done. Raises SourcesChanged, Conflict or DecisionError."""
    if request.fresh:
        return Course(None, open_decision(request.decision, None))
    changed = tuple(dict.fromkeys(changed_names(request)))
    reused = finished() if kept is None and changed else None
    before, moved = kept or reused, False
    if before is not None and differing(before.sources, sources):
        moved = True
        if (before.steps or request.decision) and request.on_change != "continue":
            if request.on_change is None:
                raise SourcesChanged(differing(before.sources, sources))
            kept = reused = None
    return Course(kept, open_decision(request.decision, kept), reused, changed, moved)


def differing(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """The paths that were added, removed or changed."""
    return tuple(sorted(path for path in {**before, **now} if before.get(path) != now.get(path)))


def open_decision(decision: Decision | None, kept: Kept | None) -> Decision | None:
    """The decision, if a gate still waits for it; None for one that was taken before.

    Without a visit it is meant for the gate as it waits now, be it the same choice again.
    Raises Conflict when no gate waits, or that visit was decided otherwise; DecisionError when it
    is another gate, visit or action.
    """
    if decision is None:
        return None
    gates = kept.pending_gates if kept else {}
    if kept is not None and not _is_open(decision, gates) and _was_taken(decision, kept):
        return None
    if not gates:
        message = "this run waits for no decision"
        raise Conflict(message, what=decision.gate, code="no_pending_gate")
    if decision.gate not in gates:
        raise DecisionError("gate_unknown", f"this run waits at {_listed(gates)}")
    if not _is_open(decision, gates):
        visit = gates[decision.gate]["visit"]
        raise DecisionError("visit_unknown", f"gate {decision.gate!r} waits at visit {visit}")
    actions = gates[decision.gate]["actions"]
    if decision.action not in actions:
        message = f"gate {decision.gate!r} offers {_listed(actions)}"
        raise DecisionError("action_not_offered", message)
    return decision


def _is_open(decision: Decision, gates: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the run waits at the gate, at the visit that the decision names if it does."""
    gate = gates.get(decision.gate)
    return gate is not None and decision.visit in (None, gate.get("visit", decision.visit))


def _was_taken(decision: Decision, kept: Kept) -> bool:
    """Whether the gate was told just this. Raises Conflict when that visit was told otherwise."""
    name = f"gate:{decision.gate}#"
    taken = {
        event.data["name"].removeprefix(name): event.data.get("action")
        for event in kept.steps
        if event.data["name"].startswith(name)
    }
    if decision.visit is None:
        return [*taken.values()][-1:] == [decision.action]
    action = taken.get(str(decision.visit))
    if action not in (None, decision.action):
        message = f"visit {decision.visit} of gate {decision.gate!r} was decided: {action}"
        raise Conflict(message, what=decision.gate, code="already_decided")
    return action is not None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def reads_documents(graph: AnyFlow) -> bool:
    """Whether any step requires a document: else none is downstream of one."""
    return any(names for _, names in readings(graph))


def changed_names(request: RunRequest) -> Iterator[str]:
    """The documents as steps name them: without the story, without `.md`."""
    prefix = story_document(request.story_id, "")
    for name in request.changed:
        yield document_name(name.removeprefix(prefix))


def check_changed(request: RunRequest, graph: AnyFlow) -> None:
    """Raises InvalidName for a document that the flow has not, and one almost of that name.

    Any other that it has not, such as one of another flow's, changes nothing here.
    """
    known = {document_name(name) for name in _documents(graph)} | {*request.documents}
    for name in changed_names(request):
        hint = None if ITEM.sub("", name) in known else near(name, known)
        if hint is not None:
            raise InvalidName("changed", f"names no document of this flow: {name}{aside(hint)}")


def _documents(graph: AnyFlow) -> Iterator[str]:
    """All that steps require, are shown if it is there, create, or are kept as."""
    for step, node in steps_in(graph):
        yield from (step, *node.required, *node.reads)
        if node.creates is not None:
            yield node.creates


def readings(graph: AnyFlow) -> Iterator[tuple[str, frozenset[str]]]:
    """Each step of a flow and of those inside it, with the documents that it requires."""
    for step, node in steps_in(graph):
        yield step, frozenset(map(document_name, node.required))
