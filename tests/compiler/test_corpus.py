"""Real projects, as their authors wrote them: nothing fails, every finding has a place."""

from __future__ import annotations

import re

import pytest

from scripts.compiler import importing, translate
from scripts.compiler.diagnostics import Diagnostics
from scripts.compiler.importreport import Report
from scripts.compiler.load import load
from tests.corpus import CORPUS, PROJECTS
from tests.project import ROOT

SCHEMA = "bmad-code-org__BMAD-METHOD@v6.0.4/test/fixtures/agent-schema"


@pytest.mark.parametrize("name", PROJECTS)
def test_a_project_loads_with_a_place_for_every_finding(name: str) -> None:
    found = Diagnostics()
    src = CORPUS / name
    sources = translate.understand(src, name, found)
    project = load(src, name, found, sources)
    assert project.agents
    assert not found.has("error"), [each for each in found if each.severity == "error"]
    assert all(each.path.startswith(name) and each.line for each in found)


@pytest.mark.parametrize("name", PROJECTS)
def test_no_file_of_a_project_is_left_without_a_word(name: str) -> None:
    draft, _ = importing.translated(CORPUS / name, Diagnostics())
    told = {account.at.path for account in draft.accounts} | set(draft.taken)
    told |= {file.at.path for file in draft.files.values()}
    scanned = {path for path, _ in translate.sources.scan_foreign(CORPUS / name)[0]}
    assert scanned - told == set()
    report = Report(draft, Diagnostics(), name)
    assert 0 < report.share() <= 1
    assert all(account.at.line >= 1 and account.at.path for account in draft.accounts)
    guide = (ROOT / "docs" / "guide" / "bmad-projects.md").read_text(encoding="utf-8")
    rows = guide[guide.index("| kind | of what |") :]
    assert {account.construct for account in draft.accounts} <= set(re.findall("`([^`]+)`", rows))


def test_agents_that_bmad_takes_are_taken_and_those_it_refuses_are_told() -> None:
    if not (CORPUS / SCHEMA).is_dir():
        pytest.skip("no corpus of agent files beside the checkout")
    for kind, codes in (("valid", set[str]()), ("invalid", {"BMAD631", "BMAD601", "BMAD604"})):
        for path in sorted((CORPUS / SCHEMA / kind).glob("*/*.agent.yaml")):
            found = Diagnostics()
            tree = translate.ForeignTree({path.name: path.read_bytes()}, "src", "src", found)
            draft = next(
                reader.read(tree, found)
                for reader in translate.registry.READERS
                if reader.name == "bmad-v6"
            )
            told = {each.code for each in found} & {"BMAD631", "BMAD601", "BMAD604"}
            if kind == "valid":
                assert (len(draft.agents), told) == (1, codes), path.name
            else:
                assert told, path
