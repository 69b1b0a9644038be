"""The wheel holds all that the command needs, and compiles the same bytes as the checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from email import message_from_bytes
from pathlib import Path

import pytest

from scripts import __version__
from tests.process import clean_environment
from tests.project import ROOT, Project

SOURCES = {
    path.relative_to(ROOT / "scripts").as_posix()
    for path in (ROOT / "scripts").rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
}
RUN_COMMAND = "from bmad2pf.bmad2pf import main; main()"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    """The built wheel, opened."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        check=True,
    )
    (built,) = folder.glob("*.whl")
    return zipfile.Path(built)


def _names(wheel: zipfile.Path) -> set[str]:
    return {name for name in wheel.root.namelist() if not name.endswith("/")}


def test_wheel_is_the_package_and_nothing_beside_it(wheel: zipfile.Path) -> None:
    info = f"bmad2pf-{__version__}.dist-info/"
    inside = {name for name in _names(wheel) if not name.startswith(info)}
    assert inside == {f"bmad2pf/{name}" for name in SOURCES}


def test_wheel_names_version_licence_and_command(wheel: zipfile.Path) -> None:
    info = wheel / f"bmad2pf-{__version__}.dist-info"
    metadata = message_from_bytes((info / "METADATA").read_bytes())
    assert (metadata["Version"], metadata["License-Expression"]) == (__version__, "MIT")
    assert metadata["Requires-Python"] == ">=3.11"
    entry_points = (info / "entry_points.txt").read_text(encoding="utf-8")
    assert entry_points.split() == ["[console_scripts]", "bmad2pf", "=", "bmad2pf.bmad2pf:main"]


def test_installed_command_compiles_the_same_bytes(
    wheel: zipfile.Path, project: Callable[..., Project], tmp_path: Path
) -> None:
    agents = {"agents/analyst.md": "---\nid: analyst\ndescription: Thinks.\n---\nAnalyse.\n"}
    expected = _bytes(project(agents, "checkout").generate())
    installed = tmp_path / "installed"
    wheel.root.extractall(installed)
    other = project(agents, "wheel")
    done = subprocess.run(
        [sys.executable, "-c", RUN_COMMAND],
        cwd=other.root,
        env=clean_environment({"PYTHONPATH": str(installed)}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert _bytes(other.out) == expected


def _bytes(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
