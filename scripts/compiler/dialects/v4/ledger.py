"""The documents of a flow: who makes them, and which of them a step is shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...diagnostics import quoted
from . import documents
from .agents import Found
from .crew import Crew
from .steps import Source


@dataclass(slots=True)
class Made:
    """A document that a step makes, by whom, and whether it surely does."""

    name: str
    agent: str
    is_sure: bool


@dataclass(slots=True)
class Ledger:
    """What the steps so far have made."""

    crew: Crew
    made: list[Made] = field(default_factory=list)
    within: dict[str, str] = field(default_factory=dict)  # what is kept as part of another
    makers: dict[str, set[str]] = field(default_factory=dict)  # all who wrote a document

    def enter(self, source: Source, keys: dict[str, Any], agent: Found, *, sure: bool) -> list[str]:
        """Write a step's documents into its keys; what it makes beside the one is returned."""
        needs, makes = documents.read(source.requires), documents.read(source.creates)
        changes, looks = documents.read(source.updates), documents.read([source.validates])
        reads: list[str] = []
        made = {each.name for each in self.made}
        requires = [self._holder(source, name, made) for name in needs.names]
        for name in [*needs.symbols, *changes.symbols]:
            symbol = self._holder(source, name, made)
            (requires if symbol in made else reads).append(symbol)
        if needs.everything or looks.everything or source.validates:
            requires += [each.name for each in self.made if each.is_sure]
            reads += [each.name for each in self.made if not each.is_sure]
        requires += [self._holder(source, name, made) for name in changes.names]
        created = next(iter([*makes.names, *changes.names, *makes.symbols, *changes.symbols]), None)
        if created in reads:
            reads.remove(created)
            requires.append(created)
        if created is not None and created not in requires and self._is_anothers(created, agent):
            requires.append(created)
            message = f"{quoted(created)} is made before: this step is shown it, and rewrites it"
            self.crew.find("BMAD610", source.at, message)
            self.crew.draft.account(source.at, "document", created, "approximated", message)
        if requires:
            keys["requires"] = [f"{name}.md" for name in dict.fromkeys(requires)]
        reads = [name for name in dict.fromkeys(reads) if name not in requires]
        if reads:
            keys["reads"] = [f"{name}.md" for name in reads]
        if created is not None:
            keys["creates"] = f"{created}.md"
            self.makers.setdefault(created, set()).add(agent.draft.id)
            known = next((each for each in self.made if each.name == created), None)
            if known is None:
                self.made.append(Made(created, agent.draft.id, sure and not makes.is_perhaps))
        self._tell_documents(source, [*needs.remarks, *makes.remarks, *changes.remarks], reads)
        others = [*makes.names, *changes.names, *makes.symbols, *changes.symbols][1:]
        others = [name for name in dict.fromkeys(others) if name != created]
        if created is not None:
            self.within |= dict.fromkeys(others, created)
        self._tell_rest(source, others, created, needs)
        return others

    def _holder(self, source: Source, name: str, made: set[str]) -> str:
        """The document that holds one, where a step before has made both as one."""
        whole = self.within.get(name)
        if whole is None or name in made:
            return name
        why = f"it is part of {whole}.md"
        self.crew.draft.account(source.at, "document", name, "approximated", why)
        return whole

    def _tell_rest(
        self, source: Source, others: list[str], created: str | None, needs: documents.Named
    ) -> None:
        """What a step says of documents beside those that it is shown and makes."""
        if needs.everything:
            why = "every document that was made so far"
            self.crew.draft.account(source.at, "document", "all", "carried", why)
        if others:
            held = ", ".join(quoted(name) for name in others)
            message = f"a step makes one document: {quoted(created or '')} also holds {held}"
            self.crew.find("BMAD610", source.at, message)
            for name in others:
                self.crew.draft.account(source.at, "document", name, "approximated", message)

    def _is_anothers(self, name: str, agent: Found) -> bool:
        return bool(self.makers.get(name, set()) - {agent.draft.id})

    def _tell_documents(self, source: Source, remarks: list[str], reads: list[str]) -> None:
        account = self.crew.draft.account
        for remark in remarks:
            self.crew.find("BMAD610", source.at, remark.replace("'", '"'))
            account(source.at, "document", remark, "approximated", remark)
        for name in reads:
            if all(name != each.name for each in self.made):
                message = f"no step makes {quoted(name)}: it is shown if a client supplies it"
                self.crew.find("BMAD610", source.at, message)
                account(source.at, "document", name, "approximated", message)
