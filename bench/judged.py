"""Whether each step that a v4 workflow declares has become one with its agent, documents, place.

A step that names nobody (`various`, `any`) is right when all that it is documented to become is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import declared, made
from .declared import squashed

FOLLOWERS = frozenset({"any", "system"})


@dataclass(frozen=True)
class Verdict:
    """What became of a declared step; `cause` is empty when it is right.

    `rule` says by which documented rule an agent was found that the step does not name.
    """

    workflow: str
    number: int
    agent: str
    cause: str = ""
    rule: str = ""


def judge(folder: Path, found: made.Made) -> list[Verdict]:
    """The verdict on every step of every workflow that can be parsed."""
    crew = declared.personas(folder)
    verdicts: list[Verdict] = []
    free = list(found.flows)
    for workflow in declared.workflows(folder, crew):
        path = workflow.path.relative_to(folder).as_posix()
        name = f"{path} {workflow.name}".strip()
        own = [flow for flow in free if flow.path == path]
        tries = [(list(_Judging(folder, name, workflow.steps, flow)), flow) for flow in own]
        if not tries:
            cause = "its workflow has become no flow"
            verdicts += [Verdict(name, n, s.agent, cause) for n, s in enumerate(workflow.steps)]
            continue
        best, flow = min(tries, key=lambda each: sum(bool(one.cause) for one in each[0]))
        free.remove(flow)  # no flow is two sequences
        verdicts += best
    return verdicts


class _Judging:
    """One sequence held against one flow: a verdict for each step, in order."""

    def __init__(
        self, folder: Path, name: str, steps: tuple[declared.Step, ...], flow: made.Flow
    ) -> None:
        self.folder = folder
        self.name = name
        self.steps = steps
        self.flow = flow
        self.words = [squashed(step.says) for step in flow.steps]
        self.place = 0  # the first step of the flow that is not taken yet
        self.makers: dict[str, str] = {}  # the file of whoever made a document first

    def __iter__(self) -> Iterator[Verdict]:
        for number, step in enumerate(self.steps):
            if step.mends and step.persona is None:
                cause, rule = self._mended(step), "each document by whoever made it"
            else:
                file, rule = self._file(number)
                cause = self._one(step, file)
            yield Verdict(self.name, number, step.agent, cause, "" if cause else rule)

    def _file(self, number: int) -> tuple[str, str]:
        """Who is to do a step, by its file, and by which rule if it names none; empty: nobody."""
        step = self.steps[number]
        if step.agent in FOLLOWERS:
            later = (each.persona for each in self.steps[number:] if each.persona)
            found = next(later, None)
            return (self._of(found), "whoever comes next") if found else ("", "")
        if step.persona is None:
            return "", ""
        is_named = step.agent in (step.persona.id, step.persona.path.stem)
        return self._of(step.persona), "" if is_named else "the first of several"

    def _of(self, persona: declared.Persona) -> str:
        return persona.path.relative_to(self.folder).as_posix()

    def _next(self, says: str) -> made.Step | None:
        """The next step of the flow that says so; those before it are passed.

        A step that says nothing is the very next one.
        """
        said = squashed(says.replace("{root}/", ""))
        for place in range(self.place, len(self.words)):
            if said in self.words[place]:
                self.place = place + 1
                return self.flow.steps[place]
        return None

    def _one(self, step: declared.Step, file: str) -> str:
        """What is wrong with the one step that a step has become."""
        found = self._next(step.says)
        if found is None:
            return "no step in its place says what it says"
        cause = self._documents(step, found)
        makes = found.creates if step.is_unnamed else step.creates or step.updates
        if makes:
            self.makers.setdefault(makes, file or found.file)
        if not file:
            return f"the project has no agent {step.agent}: {found.file or 'a person'} does it"
        if found.file != file:
            return f"{found.file or 'a person'} does it"
        return cause

    def _documents(self, step: declared.Step, found: made.Step) -> str:
        """What is wrong with the documents of a step."""
        if step.is_unnamed:
            return "the words for what it makes name no document"
        if found.creates != (step.creates or step.updates):
            return f"it makes {found.creates or 'nothing'}"
        wanted = {*step.needs, *filter(None, [step.updates])}
        if step.needs_all:
            wanted |= self.makers.keys()
        own = {found.creates} & self.makers.keys()  # who makes it again is shown what there is
        if wanted - found.shown:
            return f"it is not shown {', '.join(sorted(wanted - found.shown))}"
        if found.shown - wanted - own:
            return f"it is shown {', '.join(sorted(found.shown - wanted - own))} as well"
        return ""

    def _mended(self, step: declared.Step) -> str:
        """What is wrong with the steps that mend one document each."""
        before = self.flow.steps[self.place - 1].id if self.place else ""
        for document, file in self.makers.items():
            found = self._next(step.says)
            if found is None or (found.creates, found.file) != (document, file):
                return f"{document} is not mended by whoever made it"
            if found.shown != {document, before}:
                return f"who mends {document} is not shown it and the findings alone"
        return "" if self.makers else "there is nothing to mend"
