"""Real projects: what they state is what is made of them, and an import behaves as its source."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import pytest

from bench import corpus, declared
from scripts.compiler.arguments import Options
from scripts.compiler.compile import compile_project
from scripts.compiler.importing import ImportOptions, import_project
from tests.cases.walk import behaviour
from tests.corpus import CORPUS, PROJECTS

LEAST = 0.95


@dataclass(frozen=True)
class Trees:
    """A project; what is imported from it; what is compiled of it, and of the import."""

    source: Path
    native: Path
    direct: Path
    again: Path


def compiled(src: Path, out: Path) -> None:
    options = Options()
    options.src, options.out = str(src), str(out)
    assert compile_project(options, perf_counter()) == 0


@pytest.fixture(scope="module", params=PROJECTS)
def trees(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trees:
    place = tmp_path_factory.mktemp("made")
    found = Trees(CORPUS / request.param, place / "bmad", place / "direct", place / "again")
    assert import_project(ImportOptions(str(found.source), str(found.native))) == 0
    compiled(found.source, found.direct)
    compiled(found.native, found.again)
    return found


def test_importing_twice_changes_nothing(trees: Trees) -> None:
    def state() -> dict[Path, tuple[int, bytes]]:
        files = (path for path in trees.native.rglob("*") if path.is_file())
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}

    before = state()
    assert len(before) > 2
    assert import_project(ImportOptions(str(trees.source), str(trees.native))) == 0
    assert state() == before


def test_what_is_imported_behaves_as_what_it_is_from(trees: Trees) -> None:
    imported, direct = behaviour(trees.again), behaviour(trees.direct)
    assert imported.keys() == direct.keys()
    assert [path for path in direct if imported[path] != direct[path]] == []


def test_agents_and_steps_are_those_that_are_stated(trees: Trees) -> None:
    row = corpus.Row(trees.source.name, 0, Counter())
    corpus.compare(row, trees.source, trees.native, trees.direct)
    assert row.parseable
    assert row.found >= LEAST * row.parseable, list(corpus.causes(row))
    assert row.right >= LEAST * len(row.verdicts), list(corpus.causes(row))


def test_v4_projects_have_steps_to_count() -> None:
    if not PROJECTS:
        pytest.skip("no corpus of agent files beside the checkout")
    crews = [(folder, declared.personas(CORPUS / folder)) for folder in PROJECTS]
    flows = [flow for folder, crew in crews for flow in declared.workflows(CORPUS / folder, crew)]
    assert sum(len(flow.steps) for flow in flows) >= 470
