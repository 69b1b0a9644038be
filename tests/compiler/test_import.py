"""`bmad2pf import`: what is written is its author's, and compiles to the same."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.compiler import importing
from scripts.compiler.importing import ImportOptions, import_project
from tests.cases.walk import FOLDER, behaviour
from tests.project import Project

V4 = "```yaml\nagent: {id: b, title: B}\npersona: {role: Bee}\n```\n"


def _tree(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def project(tmp_path: Path) -> Project:
    shutil.copytree(FOLDER / "v6-skills" / "bmad", tmp_path / "theirs")
    return Project(tmp_path)


def _import(project: Project, *more: str) -> subprocess.CompletedProcess[str]:
    return project.compile("import", "theirs", *more)


def test_importing_twice_changes_nothing(project: Project) -> None:
    first = _import(project)
    assert (first.returncode, first.stderr) == (0, "")
    before = _tree(project.src)
    times = {path: path.stat().st_mtime_ns for path in project.src.rglob("*")}
    assert _import(project).returncode == 0
    assert _tree(project.src) == before
    assert {path: path.stat().st_mtime_ns for path in project.src.rglob("*")} == times


@pytest.mark.parametrize("case", ["v6-skills", "v6-agents", "neighbours", "v4-project"])
def test_import_and_compile_is_compile(tmp_path: Path, case: str) -> None:
    shutil.copytree(FOLDER / case / "bmad", tmp_path / "theirs")
    project = Project(tmp_path)
    assert _import(project).returncode == 0
    assert project.compile().returncode == 0
    assert project.compile("--src", "theirs", "--out", "direct").returncode == 0
    assert behaviour(project.out) == behaviour(tmp_path / "direct")


def test_an_edited_file_is_left_until_forced(project: Project) -> None:
    _import(project)
    agent = project.src / "agents" / "shop-agent-keeper.md"
    agent.write_text("mine\n", encoding="utf-8")
    done = _import(project)
    assert done.returncode == 1
    assert (
        "bmad/agents/shop-agent-keeper.md: error BMAD646 the file was edited since" in done.stdout
    )
    assert agent.read_text(encoding="utf-8") == "mine\n"
    assert _import(project, "--force").returncode == 0
    assert agent.read_text(encoding="utf-8").startswith("---\nid: shop-agent-keeper\n")


def test_a_file_that_no_import_wrote_is_left(project: Project) -> None:
    project.write({"agents/shop-agent-keeper.md": "mine\n"})
    done = _import(project)
    assert done.returncode == 1
    assert "BMAD646 the file is from no import, and is left as it is\n" in done.stdout
    assert (project.src / "agents/shop-agent-keeper.md").read_text(encoding="utf-8") == "mine\n"


def test_what_changed_there_is_taken_over_and_what_went_goes(project: Project) -> None:
    _import(project)
    shutil.rmtree(project.root / "theirs" / "shop-skills" / "shop-taste")
    page = project.root / "theirs" / "shop-skills" / "shop-buy" / "SKILL.md"
    page.write_text(page.read_text(encoding="utf-8") + "Twice.\n", encoding="utf-8")
    assert _import(project).returncode == 0
    assert not (project.src / "workflows" / "shop-taste.yaml").exists()
    assert "Twice." in (project.src / "tasks/shop-buy/SKILL.md").read_text(encoding="utf-8")


def test_an_interrupted_import_takes_nothing_for_edited(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    options = ImportOptions("theirs", format="json")
    assert import_project(options) == 0
    page = project.root / "theirs" / "shop-skills" / "shop-buy" / "SKILL.md"
    old = page.read_text(encoding="utf-8")
    page.write_text(f"{old}Once.\n", encoding="utf-8")
    write = importing._write
    left = [2]  # the note and the one file that changes; the last note is not written

    def failing(path: Path, data: bytes) -> None:
        if not left[0]:
            raise OSError(28, "No space left on device", str(path))
        left[0] -= 1
        write(path, data)

    monkeypatch.setattr(importing, "_write", failing)
    assert import_project(options) == 1
    monkeypatch.undo()
    monkeypatch.chdir(project.root)
    page.write_text(f"{old}Twice.\n", encoding="utf-8")
    assert import_project(options) == 0


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("nodir/r.json", '--report: there is no folder "nodir"; make it first'),
        ("theirs", '--report: "theirs" is a folder; name a file'),
    ],
)
def test_a_report_without_a_place_stops_before_anything_is_written(
    project: Project, place: str, told: str
) -> None:
    done = _import(project, f"--report={place}")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"bmad2pf: {told}\n")
    assert not project.src.exists()


def test_a_report_that_cannot_be_written_is_one_line(project: Project) -> None:
    done = _import(project, "--report=/dev/full")
    assert done.returncode == 1
    assert done.stderr == (
        "bmad2pf: --report: /dev/full cannot be written: No space left on device\n"
    )
    assert (project.src / "agents").is_dir()


def test_the_report_names_every_construct_with_its_place(project: Project) -> None:
    done = _import(project, "--report", "--to", "native")
    assert done.returncode == 0
    assert "theirs/shop-skills/agents/shop-agent-keeper/SKILL.md:1: carried agent " in done.stdout
    assert "constructs carried over as they stand" in done.stdout
    found = len(re.findall(r": (?:warning|note) BMAD\d+ ", done.stdout))
    assert found
    counted = re.findall(r"(\d+) (?:warning|note)s?\b", done.stdout.splitlines()[-1])
    assert sum(map(int, counted)) == found
    done = _import(project, "--report=report.json", "--output-format", "json")
    told = json.loads((project.root / "report.json").read_text(encoding="utf-8"))
    assert told["dialect"] == "bmad-v6"
    assert told == json.loads(done.stdout)
    assert 0 < told["share"] <= 1
    assert sum(sum(fates.values()) for fates in told["counts"].values()) == len(told["constructs"])
    assert all(each["path"] and each["line"] >= 1 for each in told["constructs"])
    assert {"agent", "command", "step", "workflow", "table row"} <= told["counts"].keys()


def test_misuse_is_said_in_a_line(project: Project) -> None:
    (project.root / "file.md").write_text("Prose.\n", encoding="utf-8")
    (project.root / "empty").mkdir()
    Project(project.root).write({"agents/a.md": "---\nid: a\n---\nYou.\n"}, under="own")
    Project(project.root).write({"agents/a.md": "---\nid: a\n---\nYou.\n"}, under="near/bmad")
    for words, said in (
        (["import"], "SRC"),
        (["import", "file.md"], '"file.md" is not a folder'),
        (["import", "empty"], '"empty" holds no agents in a form that is known\n'),
        (["import", "near"], 'in a form that is known; there are some in "near/bmad"\n'),
        (["import", "own"], '"own" is native already; compile it: bmad2pf --src own'),
        (["import", "nowhere"], '"nowhere" does not exist'),
        (["import", "theirs", "--to", "theirs"], "is the tree that is imported"),
        (["import", "theirs", "--output-format", "xml"], '"xml" is not a format'),
    ):
        done = project.compile(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
        assert done.stderr.count("\n") == 1


def test_what_is_native_already_is_told_so(project: Project) -> None:
    project.write({"agents/a.md": "---\nid: a\n---\nYou.\n", "agents/b.md": V4}, under="own")
    done = project.compile("import", "own", "--report", "--to", "new")
    assert (done.returncode, done.stderr) == (0, "")
    assert "own/agents/a.md:1: left file agents/a.md: it is native already" in done.stdout
    assert [path.name for path in (project.root / "new" / "agents").iterdir()] == ["b.md"]


def test_help_is_worth_reading(project: Project) -> None:
    done = project.compile("import", "--help")
    assert done.returncode == 0
    assert project.compile("import", "-h").stdout == done.stdout
    for word in ("--to", "--report", "--force", "CrewAI", "Exit codes"):
        assert word in done.stdout


def test_a_link_is_not_followed(project: Project) -> None:
    (project.root / "elsewhere.md").write_text("theirs\n", encoding="utf-8")
    (project.src / "agents").mkdir(parents=True)
    (project.src / "agents" / "shop-agent-keeper.md").symlink_to(project.root / "elsewhere.md")
    assert _import(project).returncode == 1
    assert (project.root / "elsewhere.md").read_text(encoding="utf-8") == "theirs\n"
