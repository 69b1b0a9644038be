"""What the nodes of one run share: PocketFlow's `shared`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .budget import Ledger
from .errors import DependencyError, StoreError
from .events import EventLog
from .prompt import opening
from .recall.indexes import Frozen
from .rework import Rework
from .runner import MemoryRunner, Record, Runner, StepBlocked, Ticket
from .services import Services
from .spec import document_name, story_document
from .stores.protocol import Entry
from .waiting import Places


def _offline_runner() -> Runner:
    return MemoryRunner(EventLog("local"))


@dataclass(slots=True)
class FlowContext:
    """The state of one run. Nodes read it, and add their results when they are done.

    `previous` names the steps whose outputs the next one sees when it waits for
    nobody in particular; `memory_at_start` is what the members of a running group see of memory.
    `rework` is there when documents are newer than what finished steps made of them.
    `path` stands before the names of steps inside a sub-flow; `places` bounds the agents at work.
    `opening` is the beginning of what every agent sees, made once for all.
    """

    input: str
    story_id: str = "local"
    run_id: str = ""
    services: Services = field(default_factory=Services)
    runner: Runner = field(default_factory=_offline_runner)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    documents: dict[str, str] = field(default_factory=dict)
    on_missing_doc: str | None = None
    command: str = ""  # an errand beside the flow: it leaves no document and no memory
    shows: tuple[str, ...] = ()  # the assets that go with it
    results: dict[str, Any] = field(default_factory=dict)
    agent_of: dict[str, str] = field(default_factory=dict)
    previous: tuple[str, ...] = ()
    memory_at_start: Mapping[str, Sequence[Entry]] = field(default_factory=dict)
    recall_at_start: Frozen | None = None
    outer: Mapping[str, Any] = field(default_factory=dict)
    rework: Rework | None = None
    path: str = ""
    item: tuple[int, int, Any] | None = None  # of the list that this flow runs for
    suffix: str = ""  # behind the names of documents that are made for an item
    opening: tuple[str, tuple[str, ...]] = field(init=False)
    places: Places = field(init=False)
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        limits = self.services.settings.prompt
        self.opening = opening(self.input, self.command, self.inputs, limits)
        self.places = Places(self.services.settings.runs.max_parallel_agents)
        self.ledger = Ledger(self.services.prices)

    def inside(
        self, step: str, on_missing_doc: str | None, item: tuple[int, int, Any] | None = None
    ) -> FlowContext:
        """The context of a flow that is one step of this one: its own results, the same run.

        Its first step sees as `outer` what the step itself would have seen; its steps are known
        outside as `<step>.<inner step>`. For one `item` of a list (number from 1, of how many,
        what it is) they are `<step>.<number>.<inner step>`, and its documents are its own.
        """
        seen = {name: self.results[name] for name in self.previous} or self.outer
        inner = replace(
            self,
            on_missing_doc=on_missing_doc or self.on_missing_doc,
            results={},
            agent_of={},
            previous=(),
            memory_at_start={},
            recall_at_start=None,
            outer=seen,
            path=f"{self.path}{step}.",
            rework=None if self.rework is None else self.rework.inside(self.previous),
        )
        if item is not None:
            inner.item = item
            inner.path = f"{inner.path}{item[0]}."
            inner.suffix = f"{self.suffix}__{item[0]}"
            inner.documents = dict(self.documents)
            if inner.rework is not None:
                inner.rework = inner.rework.of_item(inner.suffix)
        inner.places = self.places
        inner.ledger = self.ledger
        return inner

    @classmethod
    def of(cls, shared: Any) -> FlowContext:
        """The context in what PocketFlow hands on: itself, or the one kept in a plain dict.

        A dict needs an `input`, and may give `story_id` and `services`; it gets `context`,
        and `results` as they come.
        """
        if isinstance(shared, FlowContext):
            return shared
        context = shared.get("context")
        if not isinstance(context, cls):
            facts = {key: shared[key] for key in ("story_id", "services") if key in shared}
            context = cls(shared["input"], **facts)
            shared["context"] = context
            shared["results"] = context.results
        return context

    def last_output(self) -> Any:
        """What the flow came to: the output of its last step, of a group's last member."""
        return self.results[self.previous[-1]] if self.previous else None

    def created(self, ticket: Ticket, name: str, text: str) -> None:
        """A step made a document, now or (its ticket has a record) in an earlier attempt."""
        rework = self.rework
        newer = rework is not None and name in rework.changed
        if newer and (ticket.record is not None or ticket.visit == 1):
            return  # the one in the store is somebody's own
        self.documents[name] = text

    async def document(self, name: str) -> str | None:
        """A document of this story, else of the project; None when there is none."""
        text = self.documents.get(name)
        store = self.services.documents
        if text is not None or store is None:
            return text
        found = await store.get(story_document(self.story_id, name)) or await store.get(name)
        if self.suffix:
            own = await store.get(story_document(self.story_id, name) + self.suffix)
            found = own or found
        return None if found is None else found.text

    async def present(self, names: tuple[str, ...]) -> dict[str, str]:
        """The texts of those of `names` that are there."""
        found = {name: await self.document(name) for name in map(document_name, names)}
        return {name: text for name, text in found.items() if text is not None}

    async def required(
        self, step: str, names: tuple[str, ...]
    ) -> tuple[dict[str, str], tuple[str, ...]]:
        """The texts of all `names`, and which of them are missing.

        A missing one is met as `on_missing_doc` says: StepBlocked (`wait`) or DependencyError
        (`error`) is raised; `skip` gives an empty text.
        """
        texts: dict[str, str] = {}
        missing = []
        for name in map(document_name, names):
            text = await self.document(name)
            if text is None:
                missing.append(name)
            texts[name] = text or ""
        if missing:
            policy = self.on_missing_doc or self.services.settings.on_missing_doc
            if policy == "wait":
                raise StepBlocked(tuple(missing))
            if policy == "error":
                documents = [story_document(self.story_id, name) for name in missing]
                raise DependencyError(documents, step=step)
        return texts, tuple(missing)

    async def reuse(self, ticket: Ticket, reason: str) -> Record:
        """The record of a step that need not run again, told to whoever follows the run."""
        record = ticket.record or {}
        await self.runner.event("step.reused", ticket.step, {**record, "reason": reason})
        return record

    async def memory(self, scope: str, step: str) -> Sequence[Entry]:
        """The newest values of a scope, newest first. A StoreError names the `step` that asks."""
        if self.services.memory is None:
            return []
        known = self.memory_at_start.get(scope)
        if known is not None:
            return known
        try:
            return await self.services.memory.entries(scope)
        except StoreError as error:
            error.step = step
            raise
