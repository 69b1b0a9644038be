"""Where the output may not be, and what in it is not ours to remove."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scripts.compiler.exchange import exchange
from scripts.runtime.errors import TreeError
from scripts.runtime.manifest import verify
from tests.conftest import MakeProject
from tests.faults.attempt import across_devices, compile_once, leftovers, snapshot, without_exchange
from tests.project import Project

AGENTS = {"agents/one.md": "One.\n", "agents/two.md": "Two.\n"}
NOBODY = 65534


@pytest.fixture
def made(project: MakeProject) -> Project:
    """Two agents, not compiled yet."""
    return project(AGENTS)


@pytest.mark.parametrize(
    ("out", "reason"),
    [
        ("bmad", "is inside the sources"),
        ("bmad/generated", "is inside the sources"),
        (".", "holds the sources"),
        ("/", "holds the sources"),
        ("repository", "is a repository"),
    ],
)
def test_a_harmful_place_is_misuse(made: Project, out: str, reason: str) -> None:
    (made.root / "repository/.git").mkdir(parents=True)
    before = snapshot(made.root)
    ended = made.compile("--out", out)
    assert ended.returncode == 2
    assert reason in ended.stderr
    assert snapshot(made.root) == before


def test_the_home_folder_is_misuse(made: Project, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    home = str(tmp_path / "home")
    ended = made.compile("--out", home, environment={"HOME": home})
    assert ended.returncode == 2
    assert "is no place for generated code" in ended.stderr


def test_a_source_inside_a_link_is_seen_through(made: Project) -> None:
    (made.root / "alias").symlink_to(made.src, target_is_directory=True)
    ended = made.compile("--out", "alias/generated")
    assert ended.returncode == 2
    assert list(made.src.iterdir()) == [made.src / "agents"]


def test_a_file_or_a_link_is_not_replaced(made: Project) -> None:
    made.out.write_text("mine")
    ended = made.compile()
    assert ended.returncode == 1
    assert 'generated: error BMAD501 the output "generated" is not a folder' in ended.stdout
    assert made.out.read_text() == "mine"
    made.out.unlink()
    (made.root / "elsewhere").mkdir()
    made.out.symlink_to("elsewhere", target_is_directory=True)
    ended = made.compile()
    assert ended.returncode == 1
    assert "BMAD501" in ended.stdout
    assert list((made.root / "elsewhere").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("locked", ["generated", "."])
def test_a_read_only_place_is_refused_before_anything(made: Project, locked: str) -> None:
    made.generate()
    (made.src / "agents/one.md").write_text("Changed.\n")
    before = snapshot(made.out)
    for path in [made.root, *made.root.rglob("*")]:
        os.chown(path, NOBODY, NOBODY)
    for parent in (made.root.parent, *made.root.parent.parents[:3]):
        parent.chmod(0o755)
    (made.root / locked).chmod(0o555)
    assert compile_once(made, _become_nobody) == 1
    said = (made.root.parent / "said").read_text()
    assert "BMAD503 cannot be written: it is read-only" in said
    assert snapshot(made.out) == before


def _become_nobody() -> None:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


@pytest.mark.parametrize("manifest", [None, "0" * 64 + "  notes.txt\n", "garbage\0"])
def test_a_folder_of_somebody_else_is_not_touched(made: Project, manifest: str | None) -> None:
    made.out.mkdir()
    for number in range(5):
        (made.out / f"notes{number}.txt").write_text("mine")
    if manifest is not None:
        (made.out / "manifest.sha256").write_text(manifest)
    before = snapshot(made.out)
    for words in ((), ("--force",)):
        ended = made.compile(*words)
        assert ended.returncode == 1
        assert (
            "generated: error BMAD501 the folder holds files that bmad2pf did not write"
            in ended.stdout
        )
        assert "more\n" in ended.stdout
        assert snapshot(made.out) == before


def test_a_manifest_cannot_point_out_of_the_tree(made: Project) -> None:
    made.generate()
    victim = made.root / "victim.txt"
    victim.write_text("")
    manifest = made.out / "manifest.sha256"
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    manifest.write_text(manifest.read_text() + f"{empty}  ../victim.txt\n")
    (made.src / "agents/one.md").write_text("Changed.\n")
    assert made.compile().returncode == 1
    assert victim.exists()


def test_files_added_to_the_tree_are_not_cleared(made: Project) -> None:
    made.generate()
    (made.out / "agents/mine.py").write_text("precious = 1\n")
    (made.src / "agents/one.md").write_text("Changed.\n")
    ended = made.compile("--force")
    assert ended.returncode == 1
    assert "BMAD501" in ended.stdout
    assert "agents/mine.py" in ended.stdout
    assert (made.out / "agents/mine.py").read_text() == "precious = 1\n"


def test_edited_files_are_named_and_only_forced_away(made: Project) -> None:
    made.generate()
    for name in ("one", "two"):
        with (made.out / f"agents/{name}.py").open("a") as file:
            file.write("# edited\n")
    before = snapshot(made.out)
    ended = made.compile()
    assert ended.returncode == 1
    assert "generated/agents/one.py: error BMAD502 " in ended.stdout
    assert "generated/agents/two.py: error BMAD502 " in ended.stdout
    assert snapshot(made.out) == before
    assert made.compile("--check").returncode == 1
    assert made.compile("--force").returncode == 0
    verify(made.out)
    assert b"# edited" not in snapshot(made.out)["agents/one.py"]


def test_a_missing_file_comes_back(made: Project) -> None:
    before = snapshot(made.generate())
    (made.out / "agents/one.py").unlink()
    assert made.compile("--check").returncode == 1
    assert made.compile().returncode == 0
    assert snapshot(made.out) == before


def test_the_module_of_a_removed_agent_goes(made: Project) -> None:
    made.generate()
    (made.src / "agents/two.md").rename(made.src / "agents/three.md")
    ended = made.compile("--check")
    assert ended.returncode == 1
    assert "agents/two.py" in ended.stdout
    assert made.compile().returncode == 0
    assert {"agents/three.py"} == {
        path for path in snapshot(made.out) if path in ("agents/two.py", "agents/three.py")
    }


@pytest.mark.parametrize("exchanged", [True, False])
def test_caches_are_neither_carried_nor_counted(made: Project, exchanged: bool) -> None:
    made.generate()
    cache = made.out / "agents/__pycache__"
    cache.mkdir()
    (cache / "one.cpython-311.pyc").write_bytes(b"stale")
    assert "nothing changed" in made.compile("--check").stdout
    (made.src / "agents/one.md").write_text("Changed.\n")
    assert compile_once(made, lambda: None if exchanged else without_exchange()) == 0
    assert not cache.exists()


@pytest.mark.parametrize("exchanged", [True, False])
def test_what_did_not_change_keeps_its_time(made: Project, exchanged: bool) -> None:
    made.generate()
    old = {path: (made.out / path).stat().st_mtime_ns for path in snapshot(made.out)}
    (made.src / "agents/one.md").write_text("Changed.\n")
    assert compile_once(made, lambda: None if exchanged else without_exchange()) == 0
    changed = {path for path in old if (made.out / path).stat().st_mtime_ns != old[path]}
    assert changed == {"agents/one.py", "manifest.sha256"}


def test_a_tree_by_half_is_refused_by_the_service(made: Project) -> None:
    made.generate()
    (made.out / "agents/one.py").write_text("half")
    with pytest.raises(TreeError):
        verify(made.out)


def test_the_clock_has_no_say(made: Project) -> None:
    before = snapshot(made.generate())
    for path in [*made.src.rglob("*"), *made.out.rglob("*")]:
        os.utime(path, (4_000_000_000, 4_000_000_000))
    assert "nothing changed" in made.compile().stdout
    (made.src / "agents/one.md").write_text("Changed.\n")
    assert made.compile().returncode == 0
    (made.src / "agents/one.md").write_text(AGENTS["agents/one.md"])
    os.utime(made.src / "agents/one.md", (0, 0))
    assert made.compile().returncode == 0
    assert snapshot(made.out) == before


def test_an_output_in_folders_that_are_not_there_yet(made: Project) -> None:
    assert made.compile("--out", "a/b/service").returncode == 0
    verify(made.root / "a/b/service")
    assert leftovers(made) == [] if made.out.exists() else True
    made.out.mkdir()
    assert made.compile().returncode == 0
    verify(made.out)


def test_a_mount_that_can_neither_exchange_nor_rename(made: Project) -> None:
    made.generate()
    (made.src / "agents/one.md").write_text("Changed.\n")
    (made.src / "agents/two.md").unlink()
    assert compile_once(made, across_devices) == 0
    verify(made.out)
    assert "agents/two.py" not in snapshot(made.out)
    assert b"Changed." in snapshot(made.out)["agents/one.py"]
    assert leftovers(made) == []


def test_folders_change_places(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    if not exchange(tmp_path / "one", tmp_path / "other"):
        pytest.skip("this system cannot exchange folders")
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["other"]
    with pytest.raises(FileNotFoundError):
        exchange(tmp_path / "one", tmp_path / "missing")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_sources_that_cannot_be_listed_are_misuse(made: Project) -> None:
    for parent in (made.root, made.root.parent, *made.root.parent.parents[:3]):
        parent.chmod(0o755)
    made.src.chmod(0o700)
    assert compile_once(made, _become_nobody) == 2
    assert "cannot be listed" in (made.root.parent / "said").read_text()
