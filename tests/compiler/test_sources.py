"""Which files are read, each of them safely."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from scripts.compiler.sources import MAX_BYTES, scan
from tests.compiler.reading import write


def kinds(src: Path) -> list[tuple[str, str]]:
    return [(fault.path, fault.kind) for fault in scan(src)[1]]


def names(src: Path) -> list[str]:
    return [name for name, _ in scan(src)[0]]


def test_files_come_by_path_with_their_bytes(tmp_path: Path) -> None:
    files = {
        "agents/b.md": b"B\r\n",
        "agents/B.md": b"\xff",
        "agents/a.md": b"",
        "tools.yaml": b"{}",
        "tools/x.py": b"x = 1\n",
        "tools/deep/er/data.json": b"{}",
        "workflow.yaml": b"flows: {}",
        "workflows/z.yaml": b"",
    }
    assert scan(write(tmp_path, files)) == (sorted(files.items()), [])


def test_the_rest_is_left_alone(tmp_path: Path) -> None:
    src = write(
        tmp_path,
        {
            "README.md": "x",
            "data/list.csv": "x",
            "tasks/one.md": "x",
            "tools/__pycache__/x.pyc": "x",
            "tools/y.pyc": "x",
            "tools/.cache/z": "x",
        },
    )
    assert scan(src) == ([], [])


def test_what_looks_like_a_source_and_is_none_is_told(tmp_path: Path) -> None:
    files = [
        "agents/a.txt",
        "agents/.hidden.md",
        "agents/sub/b.md",
        "workflow.yml",
        "workflows/c.yml",
        "tools.yml",
    ]
    found = kinds(write(tmp_path, dict.fromkeys(files, "x")))
    told = [
        "agents/.hidden.md",
        "agents/a.txt",
        "agents/sub",
        "tools.yml",
        "workflow.yml",
        "workflows/c.yml",
    ]
    assert found == [(path, "unread") for path in told]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("agent/a.md", "agents"),
        ("Agents/a.md", "agents"),
        ("aegnts/a.md", "agents"),
        ("workflow/a.yaml", "workflows"),
        ("checklist/a.md", "checklists"),
        ("workflows.yaml", "workflow.yaml"),
        ("Workflow.yaml", "workflow.yaml"),
        ("flows.yaml", "workflow.yaml"),
        ("flow.yml", "workflow.yaml"),
        ("tool.yaml", "tools.yaml"),
    ],
)
def test_a_name_that_is_nearly_that_of_sources_is_told(
    tmp_path: Path, name: str, meant: str
) -> None:
    _, faults = scan(write(tmp_path, {name: "x"}))
    found = [(fault.path, fault.kind, fault.hint) for fault in faults]
    assert found == [(name.partition("/")[0], "unread", f'rename it to "{meant}"')]


def test_what_was_meant_may_be_there_as_well(tmp_path: Path) -> None:
    _, faults = scan(write(tmp_path, {"agents/a.md": "x", "agent/b.md": "x"}))
    assert [fault.hint for fault in faults] == ['move what it holds to "agents"']


@pytest.mark.parametrize(
    "name", ["schemas/a", "notes.yaml", "agents.md", "workflow.json", "flows/a"]
)
def test_other_names_are_left_alone(tmp_path: Path, name: str) -> None:
    assert scan(write(tmp_path, {name: "x"})) == ([], [])


def test_what_is_no_regular_file_is_refused_and_never_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    src = write(tmp_path, {"agents/real.md": "x"})
    agents = src / "agents"
    os.mkfifo(agents / "pipe.md")
    (agents / "inside.md").symlink_to("real.md")
    (agents / "outside.md").symlink_to("/etc/passwd")
    (agents / "dangling.md").symlink_to("nowhere.md")
    (agents / "circular.md").symlink_to("circular.md")
    (agents / "device.md").symlink_to("/dev/zero")
    (src / "tools").symlink_to("/etc")
    monkeypatch.chdir(agents)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.md")
        found = kinds(src)
    special = ["circular", "dangling", "device", "inside", "outside", "pipe", "socket"]
    assert found == [(f"agents/{name}.md", "special") for name in special] + [("tools", "special")]
    assert names(src) == ["agents/real.md"]


def test_a_source_folder_may_itself_be_a_link(tmp_path: Path) -> None:
    src = write(tmp_path, {"agents/a.md": "x"})
    (tmp_path / "link").symlink_to(src)
    assert scan(tmp_path / "link") == scan(src)


def test_folders_and_files_in_each_others_place(tmp_path: Path) -> None:
    src = write(tmp_path, {"agents/x.md/y": "x", "tools": "x", "workflow.yaml/a": "x"})
    assert kinds(src) == [
        ("agents/x.md", "unreadable"),
        ("tools", "unreadable"),
        ("workflow.yaml", "unreadable"),
    ]


def test_size_is_decided_before_reading(tmp_path: Path) -> None:
    src = write(tmp_path, {"agents/fits.md": b"x" * MAX_BYTES})
    with (src / "agents" / "huge.md").open("wb") as file:
        file.truncate(1 << 40)  # sparse: reading it would not end
    assert kinds(src) == [("agents/huge.md", "large")]
    assert [len(data) for _, data in scan(src)[0]] == [MAX_BYTES]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    src = write(tmp_path, {"agents/a.md": "x"})
    (src / "agents" / "a.md").chmod(0)
    assert kinds(src) == [("agents/a.md", "unreadable")]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names themselves")
def test_names_that_no_header_can_show(tmp_path: Path) -> None:
    src = write(tmp_path, {"agents/a\nb.md": "x", "tools/c\\d.py": "x"})
    (src / "agents" / os.fsdecode(b"\xff.md")).write_text("x")
    found = kinds(src)
    assert [kind for _, kind in found] == ["name", "name", "name"]
    assert all(path.isprintable() for path, _ in found)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        scan(tmp_path / "nowhere")
