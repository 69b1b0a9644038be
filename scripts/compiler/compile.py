"""The walk of a run that has something to do: load, check, render, format, write, say."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from . import report, summary
from .arguments import Options
from .diagnostics import Diagnostics, Position
from .difference import Change, changes, unified
from .exitcode import FOUND, MISUSED, SUCCESS
from .generation import Inputs, generation, inputs_of
from .load import load
from .lock import Busy, locked
from .model import Project
from .output import Generation, sweep, write
from .place import (
    Misuse,
    refuse_edited,
    refuse_foreign,
    refuse_inside,
    refuse_kind,
    refuse_misuse,
    refuse_unwritable,
    some,
    understood,
    unwritable,
)
from .scopes import check_scopes
from .stages import Stages
from .tree import Tree, read


def compile_project(options: Options, started: float | None = None) -> int:
    """Do what was asked and say so; the exit code. `started` is by perf_counter."""
    begun = perf_counter() if started is None else started
    run = Run(options, Stages(begun, verbose=options.verbose))
    try:
        refuse_misuse(run.src, run.out)
        run.walk()
    except Misuse as misuse:
        sys.stderr.write(f"bmad2pf: {misuse}\n")
        return MISUSED
    finally:
        run.stages.leave()
    run.say()
    return run.exit_code()


class Run:
    """One run: what was asked, and what came of it."""

    def __init__(self, options: Options, stages: Stages) -> None:
        self.options = options
        self.stages = stages
        self.src = Path(os.path.normpath(options.src))
        self.out = Path(os.path.normpath(options.out))
        self.found = Diagnostics()
        self.agents = self.flows = self.files = 0
        self.excused = 0  # errors of the sources, in spite of which the rest is compiled
        self.changes: tuple[Change, ...] = ()
        self.diff: list[str] = []

    @property
    def writes(self) -> bool:
        """Whether this run may write the output."""
        return not self.options.check and not self.options.diff

    def _is_stopped(self) -> bool:
        """Whether there are errors that nothing can be done in spite of."""
        return self.found.count("error") > self.excused

    def walk(self) -> None:
        """From the sources to the output; stops where errors make going on pointless."""
        self.stages.enter("reading")
        shown = self.src.as_posix()
        sources = understood(self.src, shown, self.found)
        if not sources.is_foreign:
            refuse_inside(self.src, self.out)
        self.stages.tell(sources.reasons)
        inputs = inputs_of(self.src, shown, sources)
        keep_going = self.options.keep_going
        project = load(self.src, shown, self.found, sources, keep_going=keep_going)
        self.agents, self.flows = len(project.agents), len(project.flows)
        if keep_going and project.agents:
            self.excused = self.found.count("error")
        if self._is_stopped() or refuse_kind(self.out, self.found):
            return
        if self.writes:
            refuse_unwritable(self.out, self.found)
        if not self._is_stopped():
            with self._told_faults():
                self._generate(project, inputs)

    def _generate(self, project: Project, inputs: Inputs) -> None:
        if self.writes:
            self.out.parent.mkdir(parents=True, exist_ok=True)
        elif not self.out.parent.is_dir():
            self._compare(project, inputs)
            return
        self.stages.enter("waiting")
        with locked(self.out.parent, shared=not self.writes) as alone:
            if self.writes:
                sweep(self.out, alone=alone)
            self._compare(project, inputs)

    def _compare(self, project: Project, inputs: Inputs) -> None:
        self.stages.enter("rendering")
        tree = read(self.out)
        refuse_foreign(tree, self.found)
        coming = generation(project, inputs, tree, self.found)
        check_scopes(project, tree.known, self.found)  # not counted: it is said only once
        self.files = len(coming.manifest.files) + 1
        self.changes = changes(tree, coming)
        edited = [path for path in tree.edited if any(path == to.path for to in self.changes)]
        told = [] if self.options.force else edited
        refuse_edited(tree, told, self.found)
        if self.options.diff:
            self.diff = list(unified(tree, coming, self.changes))
        if self.options.check:
            self._find_stale(tree, told)
        if self.writes and not self._is_stopped():
            self._write(tree, coming)

    def _write(self, tree: Tree, coming: Generation) -> None:
        if self.changes or tree.interrupted or tree.leftovers:
            self.stages.enter("writing")
            write(tree, coming)

    def _find_stale(self, tree: Tree, told: list[str]) -> None:
        """What differs and is not `told` already, as edited by hand."""
        paths = [change.path for change in self.changes if change.path not in told]
        if not paths or tree.is_absent:
            return
        message = f"the output is out of date: {some(paths)}"
        hint = (
            "run bmad2pf --force, which overwrites what was edited"
            if tree.edited
            else "run bmad2pf"
        )
        self.found.add("BMAD504", Position(str(self.out)), message, hint)

    @contextmanager
    def _told_faults(self) -> Iterator[None]:
        try:
            yield
        except Busy:
            message = "another compiler has been at work here for a long time"
            hint = "let it end, then run bmad2pf again"
            self.found.add("BMAD506", Position(str(self.out)), message, hint)
        except OSError as error:
            path = Path(os.fsdecode(error.filename)) if error.filename else self.out
            unwritable(path, error.strerror or type(error).__name__, self.found)

    def say(self) -> None:
        """Findings, the diff, and the last line; or the one object."""
        counts = (self.agents, self.flows, self.files)
        seconds = self.stages.seconds
        if self.options.format == "json":
            findings = report.findings_json(self.found)
            changed = len(self.changes)
            lines = [summary.as_json(findings, *counts, changed, seconds)]
        else:
            style = summary.Style(sys.stdout)
            lines = [*report.findings(self.found, style), *report.diff_lines(self.diff, style)]
            if self._is_stopped():
                lines.append(report.failure(self.found, seconds, self.options))
            else:
                last = report.result(counts, self.changes, self.found, seconds, self.options)
                lines.append(last)
        sys.stdout.write("\n".join(lines) + "\n")

    def exit_code(self) -> int:
        """1 for errors, and for warnings where they count as such."""
        wrong = self.found.has("error") or (self.options.strict and self.found.has("warning"))
        return FOUND if wrong else SUCCESS
