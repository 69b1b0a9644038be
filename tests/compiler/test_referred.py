"""Files that agents name: read one by one, copied, and looked at again each time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.compiler.sources import MAX_BYTES, SourceFault, take
from tests.compiler.reading import codes, read, write
from tests.project import Project

MakeProject = Callable[..., Project]
SCHEMA = '{"type": "object", "properties": {"title": {"type": "string"}}}'
FILES = {
    "agents/analyst.md": "---\ntasks: [a.md]\ndata: [{file: b.md, inline: true}]\n"
    "output: idea.json\n---\nAsk.\n",
    "agents/other.md": "Rest.\n",
    "tasks/a.md": "A\r\n",
    "tasks/unused.md": "x",
    "data/b.md": "B",
    "data/idea.json": SCHEMA,
}


def test_only_what_is_named_is_read_and_copied(project: MakeProject) -> None:
    made = project(FILES)
    (made.src / "data" / "large.csv").write_bytes(b"x" * (MAX_BYTES + 1))
    out = made.generate()
    assets = sorted(p.relative_to(out).as_posix() for p in (out / "assets").rglob("*.*"))
    assert assets == ["assets/data/b.md", "assets/tasks/a.md"]
    assert (out / "assets/tasks/a.md").read_bytes() == b"A\r\n"
    manifest = (out / "manifest.sha256").read_text()
    sources = [line.split()[-1] for line in manifest.splitlines() if line.startswith("# source")]
    assert sources == [f"bmad/{path}" for path in sorted(FILES) if path != "tasks/unused.md"]


@pytest.mark.parametrize(
    ("path", "text", "changed"),
    [
        ("tasks/a.md", "other", {"assets/tasks/a.md"}),
        ("data/b.md", "other", {"assets/data/b.md"}),
        ("data/idea.json", '{"type": "array"}', {"agents/analyst.py"}),
        ("tasks/unused.md", "other", set()),
        ("tasks/new.md", "other", set()),
    ],
)
def test_a_named_file_is_an_input_like_any_other(
    project: MakeProject, path: str, text: str, changed: set[str]
) -> None:
    made = project(FILES)
    out = made.generate()
    before = {file: file.stat().st_mtime_ns for file in out.rglob("*") if file.is_file()}
    assert made.compile("--check").returncode == 0
    made.write({path: text})
    assert made.compile("--check").returncode == (1 if changed else 0)
    made.generate()
    after = {file: file.stat().st_mtime_ns for file in out.rglob("*") if file.is_file()}
    assert after.keys() == before.keys()
    found = {file.relative_to(out).as_posix() for file in after if after[file] != before[file]}
    assert found - {"manifest.sha256"} == changed


def test_a_named_file_that_goes_is_missed(project: MakeProject) -> None:
    made = project(FILES)
    made.generate()
    (made.src / "tasks" / "a.md").unlink()
    done = made.compile("--output-format", "json")
    assert done.returncode == 1
    (found,) = json.loads(done.stdout)["findings"]
    assert (found["code"], found["line"], found["column"]) == ("BMAD209", 2, 9)


def test_links_are_refused_wherever_they_stand(tmp_path: Path) -> None:
    src = write(tmp_path, {"data/real.md": "x"})
    (src / "data" / "link.md").symlink_to("real.md")
    (src / "tasks").symlink_to(src / "data")
    (src / "templates").symlink_to("/etc")
    os.mkfifo(src / "data" / "pipe.md")
    assert take(src, "data/real.md") == b"x"
    for path in ("data/link.md", "tasks/real.md", "templates/passwd", "data/pipe.md"):
        found = take(src, path)
        assert isinstance(found, SourceFault)
        assert found.kind == "special", path
    for path in ("data/none.md", "none/real.md", "data/real.md/x"):
        found = take(src, path)
        assert isinstance(found, SourceFault)
        assert found.kind == "missing", path


def test_a_large_or_binary_asset_is_refused(tmp_path: Path) -> None:
    front = "---\ndata: [large.md, bytes.md]\n---\n"
    files = {"data/large.md": b"x" * (MAX_BYTES + 1), "data/bytes.md": b"\xff"}
    _, found = read(tmp_path, {"agents/a.md": front} | files)
    assert codes(found) == ["BMAD103 2:8", "BMAD102 2:18"]


@pytest.mark.parametrize("name", ["idea.json", "data/idea.json", "schemas/deep/idea.yaml"])
def test_a_schema_is_read_from_its_file(tmp_path: Path, name: str) -> None:
    path = name if "/" in name else f"data/{name}"
    files = {"agents/a.md": f"---\noutput: {name}\n---\n", path: SCHEMA}
    project, found = read(tmp_path, files)
    assert found == []
    assert project.agents[0].output == json.loads(SCHEMA)
    assert project.agents[0].output_file == path
