"""The command as people and programs meet it: words, codes, streams."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import __version__
from tests.conftest import MakeProject
from tests.faults.attempt import snapshot
from tests.process import clean_environment
from tests.project import COMMAND, ROOT, Project

GOOD = {
    "agents/analyst.md": "---\ndescription: Finds out.\n---\nYou find out.\n",
    "agents/writer.md": "You write.\n",
}
WARNED = {"agents/a.md": "---\nwait_for: {docs: [prd]}\n---\nA.\n"}
WRONG = {"agents/a.md": "---\nwait_for: {agents: [b]}\n---\nA.\n", "agents/c.md": "C.\n"}
SECONDS = r"\(\d+\.\d\d s\)"


@pytest.fixture
def made(project: MakeProject) -> Project:
    """Two agents without a finding."""
    return project(GOOD)


def _last(text: str) -> str:
    return text.rstrip("\n").rpartition("\n")[2]


def test_the_last_line_says_what_there_is_and_what_changed(made: Project) -> None:
    first = made.compile()
    assert (first.returncode, first.stderr) == (0, "")
    files = len(snapshot(made.out))
    assert re.fullmatch(rf"2 agents, 1 flow, {files} files: {files} new {SECONDS}\n", first.stdout)
    again = made.compile()
    assert re.fullmatch(
        rf"2 agents, 1 flow, {files} files: nothing changed {SECONDS}\n", again.stdout
    )
    (made.src / "agents/writer.md").unlink()
    (made.src / "agents/editor.md").write_text("You edit.\n")
    assert re.search(r": 1 new, \d changed, 1 removed ", made.compile().stdout)


def test_a_prompt_edit_changes_its_module_and_the_manifest_only(made: Project) -> None:
    before = snapshot(made.generate())
    (made.src / "agents/writer.md").write_text("You write well.\n")
    assert ": 2 changed (" in made.compile().stdout
    after = snapshot(made.out)
    assert {path for path in after if after[path] != before.get(path)} == {
        "agents/writer.py",
        "manifest.sha256",
    }


def test_a_run_without_changes_writes_nothing_and_starts_nothing(made: Project) -> None:
    made.generate()
    trap = (
        "import sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "def see(event, arguments):\n"
        "    if event.startswith(('subprocess', 'os.posix_spawn', 'os.fork', 'os.exec')):\n"
        "        raise SystemExit('started ' + event)\n"
        "    if event in ('os.rename', 'os.mkdir', 'os.remove', 'os.link', 'os.utime'):\n"
        "        raise SystemExit('changed ' + str(arguments))\n"
        "    if event == 'open' and arguments[2] & 3 and str(arguments[0]) != '/dev/null':\n"
        "        raise SystemExit('wrote ' + str(arguments))\n"
        "sys.dont_write_bytecode = True\n"
        "sys.addaudithook(see)\n"
        "sys.argv[1:] = []\n"
        "from scripts.compiler.main import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    heavy = {'yaml', 'jinja2', 'typer', 'typing', 'json', 're'} & set(sys.modules)\n"
        "    sys.stdout.write(f'heavy {sorted(heavy)}')\n"
    )
    times = {path: path.stat().st_mtime_ns for path in made.out.rglob("*")}
    # Measuring coverage would import and write what the trap is there to catch.
    quiet = {name: value for name, value in os.environ.items() if "COV" not in name}
    ended = subprocess.run(
        [sys.executable, "-c", trap],
        cwd=made.root,
        env=quiet,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "nothing changed" in ended.stdout
    assert ended.stdout.endswith("heavy []")
    assert {path: path.stat().st_mtime_ns for path in made.out.rglob("*")} == times


def test_check_says_what_is_out_of_date_and_writes_nothing(made: Project) -> None:
    assert made.compile("--check").returncode == 0  # nothing there is not out of date
    assert not made.out.exists()
    made.generate()
    assert made.compile("--check").returncode == 0
    (made.src / "agents/writer.md").write_text("You write well.\n")
    before = snapshot(made.root)
    ended = made.compile("--check")
    assert ended.returncode == 1
    assert ended.stdout.startswith(
        "generated: error BMAD504 the output is out of date: agents/writer.py, manifest.sha256\n"
        "    hint: run bmad2pf\n"
    )
    assert snapshot(made.root) == before


def test_check_tells_of_an_edited_file_once_and_of_the_rest_beside_it(made: Project) -> None:
    made.generate()
    with (made.out / "agents/writer.py").open("a") as file:
        file.write("# edited\n")
    only = made.compile("--check")
    assert (only.returncode, only.stdout.count("BMAD502"), "BMAD504" in only.stdout) == (
        1,
        1,
        False,
    )
    (made.src / "agents/analyst.md").write_text("You find more.\n")
    both = made.compile("--check").stdout
    assert "writer.py: error BMAD502" in both
    assert "out of date: agents/analyst.py, manifest.sha256\n    hint: run bmad2pf --force" in both
    assert made.compile().returncode == 1
    assert made.compile("--force").returncode == 0


def test_a_memory_that_is_left_is_told_once(made: Project) -> None:
    """By `--check` as long as the old tree stands; afterwards there is nothing more to say."""
    made.generate()
    (made.src / "agents/writer.md").write_text("---\nmemory_scope: shared:a\n---\nYou write.\n")
    left = (
        'bmad/agents/writer.md:2:15: warning BMAD507 the agent "writer" no longer works in the '
        'memory "isolated": what it remembers there stays, and it does not see it\n'
    )
    for _ in range(2):
        checked = made.compile("--check")
        assert (checked.returncode, left in checked.stdout) == (1, True)
    assert left in made.compile().stdout
    assert "# memory shared:a  writer\n" in (made.out / "manifest.sha256").read_text()
    before = snapshot(made.root)
    for arguments in ((), ("--check", "--strict")):
        again = made.compile(*arguments)
        assert (again.returncode, "BMAD507" in again.stdout) == (0, False)
    assert snapshot(made.root) == before


def test_diff_shows_what_would_change_and_writes_nothing(made: Project) -> None:
    made.generate()
    (made.src / "agents/writer.md").write_text("You write well.\n")
    (made.src / "agents/editor.md").write_text("You edit.\n")
    before = snapshot(made.root)
    ended = made.compile("--diff")
    assert ended.returncode == 0
    assert "--- a/generated/agents/writer.py\n+++ b/generated/agents/writer.py\n" in ended.stdout
    assert "\n-You write.\n+You write well.\n" in ended.stdout
    assert "--- /dev/null\n+++ b/generated/agents/editor.py\n" in ended.stdout
    assert "1 would be new, " in _last(ended.stdout)
    assert " would be changed" in _last(ended.stdout)
    assert made.compile("--diff", "--check").returncode == 1
    assert snapshot(made.root) == before


def test_warnings_pass_unless_they_are_strict(project: MakeProject) -> None:
    made = project(WARNED)
    for words, code in (
        ((), 0),
        (("--strict",), 1),
        (("--check",), 0),
        (("--check", "--strict"), 1),
    ):
        ended = made.compile(*words)
        assert ended.returncode == code
        assert "bmad/agents/a.md:2:" in ended.stdout  # said each time, also when nothing changed
        assert ": warning BMAD205 " in ended.stdout
        counted = "1 warning (an error under --strict)" if "--strict" in words else "1 warning"
        assert re.search(rf"; {re.escape(counted)} {SECONDS}\n\Z", ended.stdout)


def test_strict_counts_warnings_and_writes_all_the_same(project: MakeProject) -> None:
    made = project(WARNED)
    assert made.compile("--strict").returncode == 1
    assert (made.out / "manifest.sha256").is_file()
    assert made.compile("--check").returncode == 0


def test_errors_are_shown_together_and_nothing_is_written(project: MakeProject) -> None:
    made = project(WRONG)
    (made.src / "agents/c.md").write_text("---\nnope: 1\n---\n")
    ended = made.compile()
    assert ended.returncode == 1
    assert re.search(r"^bmad/agents/a\.md:2:\d+: error BMAD201 .+$", ended.stdout, re.MULTILINE)
    assert re.search(
        r"^bmad/agents/c\.md:2:1: error BMAD108 .+\n    hint: ", ended.stdout, re.MULTILINE
    )
    assert re.fullmatch(rf"2 errors: nothing written {SECONDS}", _last(ended.stdout))
    assert re.fullmatch(rf"2 errors {SECONDS}", _last(made.compile("--check").stdout))
    assert not made.out.exists()


def test_json_is_one_object_with_fixed_keys(project: MakeProject) -> None:
    made = project(WARNED)
    for words in ((), ("--check",)):
        ended = made.compile("--output-format", "json", *words)
        found = json.loads(ended.stdout)
        assert list(found) == ["findings", "agents", "flows", "files", "changed", "duration_ms"]
        (finding,) = found["findings"]
        assert list(finding) == [
            "path",
            "line",
            "column",
            "code",
            "severity",
            "message",
            "hint",
        ]
        assert (finding["path"], finding["severity"]) == ("bmad/agents/a.md", "warning")
        assert (found["agents"], found["flows"]) == (1, 1)
    assert found["changed"] == 0
    wrong = project(WRONG, name="wrong").compile("--output-format=json")
    assert wrong.returncode == 1
    assert {one["severity"] for one in json.loads(wrong.stdout)["findings"]} == {"error"}


def test_json_of_a_run_without_changes_is_the_same_object(made: Project) -> None:
    made.generate()
    found = json.loads(made.compile("--output-format", "json").stdout)
    assert found.pop("duration_ms") >= 0
    assert found == {
        "findings": [],
        "agents": 2,
        "flows": 1,
        "files": len(snapshot(made.out)),
        "changed": 0,
    }


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--src", "nowhere"], 'there is no folder "nowhere"'),
        (["--src", "bmad/agents/writer.md"], "is not a folder"),
        (["--output-format", "sarif"], "not supported yet"),
        (["--output-format", "github"], "not supported yet"),
        (["--output-format", "xml"], "is not a format"),
        (["--diff", "--output-format", "json"], "cannot be had"),
        (["init"], "bmad2pf: `init` is not supported yet\n"),
        (["watch", "--src", "x"], "bmad2pf: `watch` is not supported yet\n"),
        (["--bogus"], "--bogus"),
        (["--chekc"], "--check"),
        (["bmad"], '"bmad" is no command; write --src bmad to compile that folder'),
        (["impot", "x"], 'there is no command "impot"; did you mean "import"?'),
        (["nothing-like-it"], 'there is no command "nothing-like-it" ('),
        (["--src"], "--src"),
    ],
)
def test_misuse_exits_2_and_says_why(made: Project, words: list[str], reason: str) -> None:
    ended = made.compile(*words)
    assert ended.returncode == 2
    assert reason in ended.stderr
    assert re.fullmatch(r"bmad2pf: .+\n", ended.stderr)
    assert ended.stdout == ""
    assert not made.out.exists()


def test_a_missing_default_source_says_so(tmp_path: Path) -> None:
    ended = Project(tmp_path).compile()
    assert ended.returncode == 2
    assert ended.stderr == (
        'bmad2pf: --src: there is no folder "bmad"; begin with bmad/agents/analyst.md; '
        "a project in another form: bmad2pf --src . or bmad2pf import .\n"
    )


@pytest.mark.parametrize("src", [".", "bmad/agents"])
def test_a_folder_beside_the_sources_is_told_from_them(made: Project, src: str) -> None:
    ended = made.compile("--out", "../made", "--src", src)
    assert ended.returncode == 1
    assert 'hint: there are some in "bmad": name that folder with --src\n' in ended.stdout


def test_the_folder_of_the_project_is_told_from_its_sources(made: Project) -> None:
    ended = made.compile("--src", ".")
    assert ended.returncode == 2
    assert ended.stderr == (
        'bmad2pf: --out: "generated" is inside the sources "."; '
        'the agents are in "bmad": name that folder with --src\n'
    )


def test_version_and_help(made: Project) -> None:
    assert made.compile("--version").stdout == f"bmad2pf {__version__}\n"
    text = made.compile("--help").stdout
    for word in ("--src", "--out", "--check", "--strict", "--diff", "--force", "--verbose"):
        assert word in text
    assert "Exit codes:" in text
    assert "--keep-going" in text
    assert made.compile("-h").stdout == text


def test_a_fault_of_ours_keeps_its_traceback_and_exits_2(made: Project) -> None:
    code = (
        "import sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "sys.argv[1:] = []\n"
        "import scripts.compiler.load as load\n"
        "load.graph = None\n"
        "load.check = None\n"
        "from scripts.compiler.main import main\n"
        "main()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=made.root, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "Traceback" in ended.stderr
    assert not made.out.exists()


def test_verbose_tells_the_stages_on_stderr(made: Project) -> None:
    ended = made.compile("--verbose")
    for stage in ("reading", "rendering", "writing"):
        assert re.search(rf"^{stage} +\d+\.\d ms$", ended.stderr, re.MULTILINE)
    assert "ms" not in ended.stdout
    assert re.search(r"^hashes +\d+\.\d ms$", made.compile("--verbose").stderr, re.MULTILINE)


def _on_a_terminal(project: Project, *words: str, **environment: str) -> str:
    """What the command writes to a terminal, both streams together."""
    main, other = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, str(COMMAND), *words],
        cwd=project.root,
        stdout=other,
        stderr=other,
        env=clean_environment({"TERM": "xterm", **environment}),
    )
    os.close(other)
    said = b""
    while True:
        try:
            said += (more := os.read(main, 4096))
        except OSError:  # Linux's way to say that the other side has closed
            break
        if not more:
            break
    os.close(main)
    child.wait()
    return said.decode()


def test_colours_and_progress_are_for_terminals_that_want_them(project: MakeProject) -> None:
    made = project(WRONG)
    assert "\x1b[31merror BMAD201\x1b[0m" in _on_a_terminal(made)
    assert "reading" in _on_a_terminal(made)
    assert "\x1b[3" not in _on_a_terminal(made, NO_COLOR="1")
    assert "\x1b" not in made.compile().stdout
    good = project(GOOD, name="good")
    good.generate()
    (good.src / "agents/writer.md").write_text("You write well.\n")
    assert "\x1b[32m+You write well.\x1b[0m" in _on_a_terminal(good, "--diff")


def test_a_reader_that_leaves_is_no_fault(made: Project) -> None:
    command = f'"{sys.executable}" "{COMMAND}" --diff | head -n 1'
    ended = subprocess.run(
        ["sh", "-c", command], cwd=made.root, capture_output=True, text=True, check=False
    )
    assert ended.stderr == ""


def test_the_sources_may_be_named_in_every_way(made: Project) -> None:
    made.generate()
    text = (made.out / "agents/writer.py").read_text()
    assert text.startswith("# Generated from bmad/agents/writer.md. Edit that file")
    for src in ("bmad/", "./bmad", str(made.src), "../project/bmad"):
        assert "nothing changed" in made.compile("--src", src).stdout


def test_nothing_of_the_author_is_run(project: MakeProject) -> None:
    bomb = "raise SystemExit('was run')\n\ndef split(text: str) -> list[str]:\n    return [text]\n"
    made = project(
        {
            "agents/a.md": "---\ntools: [split]\n---\nA.\n",
            "tools.yaml": "split:\n  module: yaml\n  call: split\n",
            "tools/yaml.py": bomb,
        }
    )
    for name in ("yaml", "jinja2", "typing", "sitecustomize"):
        (made.root / f"{name}.py").write_text(bomb)
        (made.src / f"{name}.py").write_text(bomb)
    for words in ((), ("--check",), ("--diff",)):
        ended = made.compile(*words)
        assert ended.returncode == 0, ended.stderr
        assert "was run" not in ended.stdout + ended.stderr


def test_a_note_keeps_the_hashes_of_the_sources(made: Project) -> None:
    (made.src / "agents/notes.txt").write_text("not read")
    for _ in range(2):
        ended = made.compile()
        assert ended.returncode == 0
        assert "BMAD117" in ended.stdout
    assert "nothing changed" in _last(ended.stdout)
    assert "  bmad/agents/writer.md\n" in (made.out / "manifest.sha256").read_text()
