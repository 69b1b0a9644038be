"""The manifest: what is written is read back, and what is not ours is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.compiler.manifest import NAME, Damaged, Manifest, decode
from tests.conftest import MakeProject

_PATHS = st.from_regex(r"[A-Za-z0-9_. -]{1,8}(/[A-Za-z0-9_-]{1,8}){0,2}\.md", fullmatch=True)
_HASHES = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
_TABLES = st.dictionaries(_PATHS.filter(lambda path: ".." not in path), _HASHES, max_size=5)
GOOD = (
    "# Written by bmad2pf 1.2. Do not edit.\n"
    f"# compiler {'0' * 64}\n"
    "# agents 1 flows 2 findings 3\n"
)


@settings(max_examples=30)
@given(sources=_TABLES, files=_TABLES, was=_TABLES)
def test_what_is_written_is_read_back(
    sources: dict[str, str], files: dict[str, str], was: dict[str, str]
) -> None:
    manifest = Manifest("1.2.3", "f" * 64)
    manifest.agents, manifest.flows, manifest.findings = 3, 1, 2
    manifest.sources, manifest.files, manifest.was = sources, files, sorted(was.items())
    manifest.scopes = {"a": ("isolated",), "b-c": ("isolated", "shared:x.y")}
    again = decode(manifest.encode())
    for name in Manifest.__slots__:
        assert getattr(again, name) == getattr(manifest, name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n\n\n",
        "# Written by somebody else\n",
        GOOD.removesuffix("\n"),
        GOOD.replace("1 flows", "one flows"),
        GOOD + "0123  short\n",
        GOOD + f"{'0' * 64} one-space\n",
        GOOD + f"{'g' * 64}  not-hex\n",
        GOOD + f"{'0' * 64}  /etc/passwd\n",
        GOOD + f"{'0' * 64}  ../outside\n",
        GOOD + f"{'0' * 64}  a/../../outside\n",
        GOOD + f"{'0' * 64}  a\\..\\b\n",
        GOOD + f"{'0' * 64}  \n",
        GOOD + f"# unknown {'0' * 64}  a\n",
        GOOD + "# \n",
    ],
)
def test_what_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(Damaged):
        decode(text.encode())
    with pytest.raises(Damaged):
        decode(b"\xff\xfe" + text.encode())


def test_sha256sum_reads_it(project: MakeProject) -> None:
    out = project({"agents/a.md": "A.\n"}).generate()
    command = ["sha256sum", "--check", "--quiet", NAME]
    assert subprocess.run(command, cwd=out, check=False, capture_output=True).returncode == 0
    (out / "app.py").write_text("edited")
    assert subprocess.run(command, cwd=out, check=False, capture_output=True).returncode == 1


def test_it_names_no_place_and_no_time(project: MakeProject, tmp_path: Path) -> None:
    text = (project({"agents/a.md": "A.\n"}).generate() / NAME).read_text()
    assert str(tmp_path) not in text
    assert "# source " in text
    assert "  bmad/agents/a.md\n" in text
    assert "# agents 1 flows 1 findings 0\n" in text
