"""Make for documents: which finished steps still hold when documents have changed.

As make goes by the times of files, this goes by the numbers of events. A step that was finished
before is good as long as all that it sees is older: the outputs that it is shown, the documents
that it requires. It is decided when its turn comes, since only then it is known what it sees.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from .runner import Record, Ticket
from .spec import document_name
from .stores.runs import Kept

NEW: Final = math.inf  # the number of what this attempt has made: later than all that was kept
_NEVER: Final = -math.inf
UNTOUCHED: Final = "nothing that it sees has changed"


@dataclass(slots=True)
class Rework:
    """What is known, as the run goes on, of how old everything is.

    `records` are the finished steps by the names of their tickets, `seqs` their numbers;
    `changed` are the numbers up to which steps are older than a document. `made` and `documents`
    tell how old the outputs and the documents of this attempt are, `outer` what stands around
    the flow.
    """

    records: Mapping[str, Record]
    seqs: Mapping[str, int]
    changed: Mapping[str, int]
    documents: dict[str, float] = field(default_factory=dict)
    made: dict[str, float] = field(default_factory=dict)
    outer: float = _NEVER

    @classmethod
    def of(cls, kept: Kept) -> Rework | None:
        """None when no documents have changed."""
        if not kept.changed:
            return None
        records = {event.data["name"]: dict(event.data) for event in kept.steps}
        seqs = {event.data["name"]: event.seq for event in kept.steps}
        return cls(records, seqs, kept.changed)

    def inside(self, previous: Iterable[str]) -> Rework:
        """The same for a flow that is one step of this one, and is shown these steps' outputs."""
        outer = max((self.age(step) for step in previous), default=self.outer)
        return replace(self, made={}, outer=outer)

    def of_item(self, suffix: str) -> Rework:
        """The same for one item of a list: its documents are its own, and end with `suffix`."""
        own = {
            name.removesuffix(suffix): seq
            for name, seq in self.changed.items()
            if name.endswith(suffix)
        }
        return replace(self, changed={**self.changed, **own}, documents=dict(self.documents))

    def age(self, step: str) -> float:
        """How old a step's output is, by the number of its event."""
        return self.made.get(step, _NEVER)

    def fault(
        self,
        ticket: Ticket,
        steps: Iterable[str] | None,
        documents: Iterable[str] = (),
        creates: str | None = None,
    ) -> str | None:
        """Why a step that is finished has to run again; None when what it came to is good.

        `steps` are those whose outputs it is shown, None for what stands around its flow.
        """
        seq = self.seqs[ticket.name]
        if creates is not None and self.changed.get(document_name(creates), _NEVER) >= seq:
            return None  # what someone has made of its document is not to be written over
        for name in map(document_name, documents):
            if self.changed.get(name, _NEVER) >= seq:
                return f"document {name} has changed"
            if self.documents.get(name, _NEVER) > seq:
                return f"document {name} was made anew"
        if steps is None:
            return "what the flow is given has changed" if self.outer > seq else None
        return next((f"step {step} ran again" for step in steps if self.age(step) > seq), None)

    def reason(self, creates: str | None) -> str:
        """Why a finished step is good."""
        name = document_name(creates or "")
        if name in self.changed:
            return f"its document {name} was changed by hand"
        return UNTOUCHED

    def withheld(self, ticket: Ticket, creates: str | None) -> bool:
        """Whether a step must leave the document alone that it would create.

        What was changed by hand stays until the flow comes back to the step, of its own accord.
        """
        return ticket.visit == 1 and creates is not None and document_name(creates) in self.changed

    def note(self, step: str, tickets: Iterable[Ticket], creates: str | None) -> None:
        """The step was reused (its tickets have records) or ran."""
        found = [NEW if ticket.record is None else self.seqs[ticket.name] for ticket in tickets]
        self.set(step, max(found, default=NEW))
        if creates is not None:
            self.documents[document_name(creates)] = self.made[step]

    def set(self, step: str, age: float) -> None:
        """How old the step's output is, and with it the document that keeps it."""
        self.made[step] = age
        self.documents[step] = age

    def age_of(self, steps: Iterable[str]) -> float:
        """How old the last of these steps' outputs is."""
        return max((self.age(step) for step in [*steps][-1:]), default=NEW)
