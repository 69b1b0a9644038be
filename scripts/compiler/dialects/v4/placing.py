"""The steps of one flow, placed one after the other."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from ....runtime import spec
from ...diagnostics import quoted
from ..draft import DraftFlow, DraftStep, Origin
from . import commands, documents
from .agents import Found, one_line
from .binding import Binding
from .crew import Crew
from .homes import Home
from .ledger import Ledger
from .steps import Source
from .words import asked, id_of, is_meant, joined, sentence, words

NOBODY: Final = frozenset({"various", "any", "system", "multiple", "all"})
_ALTERNATIVES: Final = re.compile(r"\s*[/|]\s*|\s+or\s+")
_ISSUES: Final = re.compile(r"_issues$")
_PATH: Final = re.compile(r"_path$")
_SHORT: Final = 4  # words of an action that make a name

# The prompts whose names say between whom they pass (`a_to_b`), by these ends.
Handoffs = dict[tuple[str, str], tuple[str, Origin]]


@dataclass(slots=True)
class Placed:
    """A step of the flow being made, and what it came from."""

    draft: DraftStep
    source: Source


class Placing:
    """One flow being made. `created` are all documents that any step of it makes."""

    def __init__(
        self, crew: Crew, home: Home, flow: DraftFlow, handoffs: Handoffs, created: set[str]
    ) -> None:
        self.crew = crew
        self.home = home
        self.flow = flow
        self.handoffs = handoffs
        self.created = created
        self.ledger = Ledger(crew)
        self.binding = Binding(crew, home)
        self.placed: list[Placed] = []
        self.ids: set[str] = set()
        self.pending = ""  # guidance that no agent follows by itself: for the next one
        self.routed: set[str] = set()
        self.open: list[tuple[dict[str, str], str, int]] = []  # actions that lead to what follows

    def finish(self) -> None:
        """Tie up what was left open, and put the steps into the flow."""
        if self.pending and self.placed:
            last = self.placed[-1].draft.keys
            key = "question" if "human" in last else "note"
            if "flow" not in last:
                last[key] = joined(last.get(key, ""), self.pending)
        for on, action, place in self.open:
            on[action] = id_of(self.placed[place].draft.keys) if place < len(self.placed) else "end"
        self.flow.steps = [placed.draft for placed in self.placed]

    def agent(self, source: Source, following: list[Source]) -> Found | None:
        """Who does a step; of several the first that is there, for `any` whoever comes next."""
        name = source.agent
        found = self.crew.agent(self.home, name)
        if found is not None:
            if found.own_id != name:
                why = f"it means the agent {found.own_id}"
                self.crew.draft.account(source.at, "agent of a step", name, "carried", why)
            return found
        names = [part for part in _ALTERNATIVES.split(name) if part]
        if len(names) > 1:
            found = next(filter(None, (self.crew.agent(self.home, part) for part in names)), None)
        elif name.lower() in NOBODY:
            later = (self.crew.agent(self.home, each.agent) for each in following if each.agent)
            found = next(filter(None, later), None)
        else:
            found = self.crew.nearest(self.home, name)
        taken = f"{quoted(found.draft.id)} does it" if found else "a person decides"
        hint = "write the id of one agent of the project"
        self.crew.find("BMAD608", source.at, f"{quoted(name)} is no agent: {taken}", hint)
        self.crew.draft.account(source.at, "agent of a step", name, "approximated", taken)
        return found

    def gate(self, source: Source) -> None:
        """A person decides where no agent can."""
        name = self._id(source, source.agent or "person")
        keys: dict[str, Any] = {"human": name, "question": one_line(asked(source))}
        self._when(source, keys, name)
        self.placed.append(Placed(DraftStep(keys, source.at), source))
        why = "there is no such agent: a person decides"
        self.crew.draft.account(source.at, "step", name, "approximated", why)
        self._tell_asked(source)

    def _tell_asked(self, source: Source) -> None:
        """What becomes of the documents and files of a step that only a person is left for."""
        account = self.crew.draft.account
        made = [*source.creates, *source.updates]
        if made:
            message = f"no step makes {', '.join(map(quoted, made))}: a client can supply it"
            hint = "name an agent of the project, and it makes the document"
            self.crew.find("BMAD610", source.at, message, hint)
        for text in made:
            account(source.at, "document", text, "left", "a person decides, who makes no document")
        for kind, texts in (("document", source.requires), ("file", source.uses)):
            for text in texts:
                account(source.at, kind, text, "approximated", "the gate's question names it")

    def add(self, source: Source, agent: Found, name: str = "") -> DraftStep:
        """A step of an agent, with all that it says."""
        step_id = name or self._id(source, agent.plain)
        keys: dict[str, Any] = {"agent": agent.draft.id, "id": step_id}
        draft = DraftStep(keys, source.at)
        sure = not (source.condition or source.optional)
        others = self.ledger.enter(source, keys, agent, sure=sure)
        note = self._note(source, agent)
        if others:
            more = ", ".join(f"{name}.md" for name in others)
            note = joined(note, f"The document also holds what belongs into {more}.")
        if note:
            keys["note"] = note
        self.binding.bind(source, agent, keys)
        self._when(source, keys, step_id)
        self.placed.append(Placed(draft, source))
        return draft

    def _id(self, source: Source, agent: str) -> str:
        """A name for a step: its own, else by what it does."""
        made = documents.read([*source.creates, *source.updates])
        what = source.label or ""
        if not what and source.action and len(source.action.split()) <= _SHORT:
            what = f"{agent}-{source.action}"
        elif not what and (made.names or made.symbols):
            verb = "updates-" if source.updates and not source.creates else ""
            what = f"{agent}-{verb}{(made.names or made.symbols)[0]}"
        elif not what and source.validates:
            what = f"{agent}-validates"
        base = commands.fitted(what or agent).lower() or "step"
        return self.unique(base)

    def unique(self, base: str) -> str:
        """A step's id that no other step or document has."""
        taken = self.ids | {spec.id_key(name) for name in self.created} | spec.RESERVED_STEP_IDS
        name, number = base, 2
        if spec.id_key(name) in taken and spec.id_key(name) not in self.ids:
            base = name = commands.fitted(f"{base}-step")
        while spec.id_key(name) in taken:
            name, number = commands.fitted(f"{base[: spec.MAX_ID - 4]}-{number}"), number + 1
        self.ids.add(spec.id_key(name))
        return name

    def _note(self, source: Source, agent: Found) -> str:
        parts = [self.pending, sentence(source)]
        self.pending = ""
        if source.phase:
            parts.insert(0, f"Phase: {words(source.phase)}.")
        if source.validates:
            parts.append(f"Validate: {words(source.validates)}.")
        parts.append(source.note.replace("{root}/", ""))
        if source.optional_steps:
            steps = ", ".join(map(words, source.optional_steps))
            parts.append(f"Before it, if the input asks for it: {steps}.")
            why = "it is told to the step that it belongs to"
            for name in source.optional_steps:
                self.crew.draft.account(source.at, "optional step", name, "approximated", why)
        if source.repeats and not source.is_cycle:
            parts.append(f"Do so for each: {words(source.repeats)}.")
            message = f"repeated {words(source.repeats)}: the step runs once and is told so"
            self.crew.find("BMAD614", source.at, message)
            self.crew.draft.account(source.at, "loop", source.repeats, "approximated", message)
        parts.append(self._handoff(agent))
        return joined(*parts)

    def _handoff(self, agent: Found) -> str:
        """The prompt with which the step before hands over to this one."""
        if not self.placed:
            return ""
        before = self.placed[-1].source.agent
        for ends, (text, at) in list(self.handoffs.items()):
            first, last = ends
            if last and is_meant(first, before) and is_meant(last, agent.own_id):
                del self.handoffs[ends]
                self.crew.draft.account(at, "handoff", f"{first}_to_{last}", "carried")
                return f"Handed over with: {text}"
        return ""

    def _when(self, source: Source, keys: dict[str, Any], step_id: str) -> None:
        """When a step runs: by inputs that are named for it, or by the verdict before it."""
        token = commands.fitted(source.condition).replace("-", "_")
        if token and _PATH.sub("", token) in self.routed:
            why = f"the route {_PATH.sub('', token)} leads here"
            self.crew.draft.account(source.at, "condition", source.condition, "carried", why)
            return
        if token:
            when = f"inputs.conditions.{token}"
            verdict = self.verdict_before()
            if verdict and _ISSUES.search(token):
                when += f' or results["{verdict}"].verdict == "fail"'
            told = f"{quoted(source.condition)} is declared: the step runs when {when}"
        elif source.optional:
            when = f'inputs.optional["{step_id}"]'
            told = f"{quoted(step_id)} is optional: it runs when {when}"
        else:
            return
        keys["when"] = when
        hint = "a client says so in the run's inputs; else the step is skipped and told so"
        self.crew.find("BMAD609", source.at, told, hint)
        kind = "condition" if source.condition else "optional"
        self.crew.draft.account(source.at, kind, source.condition or step_id, "carried", told)

    def verdict_before(self) -> str:
        """The last checklist step, if it is near enough to be meant."""
        for placed in reversed(self.placed):
            if "checklist" in placed.draft.keys:
                return str(placed.draft.keys["id"])
            if placed.source.condition == "":
                return ""
        return ""
