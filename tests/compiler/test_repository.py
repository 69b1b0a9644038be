"""The repository keeps its own rules: pins, hashes, paths, commands, images."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts import __version__
from tests.project import ROOT, Project

LOCKS = ("requirements.txt", "requirements-dev.txt")
EXTRAS = ("openai", "anthropic", "google", "redis", "otel")
PIN = re.compile(r"([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==([^\s;\\]+)")
MACHINE_PATH = re.compile(r"(?<![\w.:/])/(?:work|root|home|Users|opt/pypi|opt/wheels)/\w")
REGISTRY_HOST = re.compile(
    r"\b(?:pypi|pythonhosted|npmjs|yarnpkg)\.(?:org|com)\b|\bdeb\.debian\.org\b"
)


def _project() -> dict[str, Any]:
    data: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    table: dict[str, Any] = data["project"]
    return table


def _pin(requirement: str) -> tuple[str, str]:
    match = PIN.fullmatch(requirement)
    assert match, f"{requirement} is no exact pin"
    return _normal(match[1]), match[2]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _locked(lock: str) -> dict[str, str]:
    text = (ROOT / lock).read_text(encoding="utf-8")
    return {_normal(m[1]): m[2] for m in (PIN.match(line) for line in text.splitlines()) if m}


def _tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def _makefile() -> str:
    return (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_of_a_lock_has_a_hash(lock: str) -> None:
    entries = re.split(r"(?m)^(?=[A-Za-z0-9])", (ROOT / lock).read_text(encoding="utf-8"))[1:]
    assert entries
    assert [
        entry for entry in entries if not PIN.match(entry) or "--hash=sha256:" not in entry
    ] == []


@pytest.mark.parametrize(
    ("lock", "extras"),
    [
        ("requirements.txt", ("service", "openai", "redis", "otel")),
        (
            "requirements-dev.txt",
            ("service", *EXTRAS, "dev"),
        ),
    ],
)
def test_locks_hold_the_pins_of_pyproject(lock: str, extras: tuple[str, ...]) -> None:
    project = _project()
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    locked = _locked(lock)
    assert {name: locked.get(name) for name, _ in map(_pin, wanted)} == dict(map(_pin, wanted))


def test_both_locks_agree() -> None:
    dev = _locked("requirements-dev.txt")
    assert {name: dev.get(name) for name in _locked("requirements.txt")} == _locked(
        "requirements.txt"
    )


def test_every_dependency_is_pinned_exactly() -> None:
    project = _project()
    extras = project["optional-dependencies"]
    assert {"openai", "anthropic", "google", "redis", "otel", "dev"} <= extras.keys()
    for requirement in [
        *project["dependencies"],
        *(pin for pins in extras.values() for pin in pins),
    ]:
        _pin(requirement)


def test_generated_requirements_are_those_of_pyproject(
    project: Callable[..., Project],
) -> None:
    made = project({"agents/analyst.md": "---\nid: analyst\n---\nAnalyse.\n"}).generate()
    extras = _project()["optional-dependencies"]
    core = _requirements(made / "requirements.txt")
    assert sorted(map(_pin, core)) == sorted(map(_pin, extras["service"]))
    for extra in EXTRAS:
        first, *pins = _requirements(made / f"requirements-{extra}.txt")
        assert first == "-r requirements.txt"
        assert sorted(map(_pin, pins)) == sorted(map(_pin, extras[extra]))


def _requirements(file: Path) -> list[str]:
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def test_no_machine_path_or_registry_host_is_tracked() -> None:
    found = []
    for path in _tracked():
        text = path.read_bytes().decode("utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), start=1):
            if path.name != Path(__file__).name and (
                MACHINE_PATH.search(line) or REGISTRY_HOST.search(line)
            ):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    assert found == []


def test_nothing_that_is_made_is_tracked() -> None:
    made = re.compile(
        r"^(generated|memory|\.venv[^/]*|\.aimock|dist)/|__pycache__|^docs/[^/]+\.md$"
    )
    assert [n for n in (p.relative_to(ROOT).as_posix() for p in _tracked()) if made.search(n)] == []


def test_help_names_every_command() -> None:
    public = re.search(r"(?m)^\.PHONY: (.+)$", _makefile())
    assert public
    helped = re.findall(r"(?m)^([a-z-]+):.*## \S", _makefile())
    assert set(public[1].split()) == set(helped)
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [name for name in helped if f"make {name} " not in said.stdout] == []


def test_commands_that_need_a_newer_python_say_so_in_one_line(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\ncase "$2" in *print*) echo 3.9.18;; *) exit 1;; esac\n')
    old.chmod(0o755)
    # Below another make it would tell which folder it enters.
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    for command in ("run", "test"):
        said = subprocess.run(
            ["make", command, f"PYTHON={old}"],
            cwd=ROOT,
            env=alone,
            capture_output=True,
            text=True,
            check=False,
        )
        assert said.returncode != 0
        assert said.stdout == ""
        assert said.stderr.splitlines()[0] == (
            f"bmad2pf needs Python 3.11 or newer, and '{old}' is 3.9.18."
            f" Try: make {command} PYTHON=python3.12"
        )


def test_image_serves_only_what_it_needs() -> None:
    last_stage = (ROOT / "Dockerfile").read_text(encoding="utf-8").split("\nFROM ")[-1]
    copied = re.findall(r"(?m)^COPY (?:--from=\S+ )?(\S+)", last_stage)
    assert copied == ["/opt/venv", "config", "/build/generated"]
    assert re.findall(r"(?m)^USER (.+)$", last_stage) == ["10001"]
    assert re.findall(r"(?m)^CMD (.+)$", last_stage) == ['["python", "-m", "generated"]']
    assert re.search(r"HEALTHCHECK .*\\\n +CMD \[", last_stage)
    assert "PYTHONDONTWRITEBYTECODE" not in last_stage


def test_changelog_knows_the_version() -> None:
    assert re.search(
        rf"(?m)^## \[?{re.escape(__version__)}\b",
        (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
    )
