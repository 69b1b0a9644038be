"""How a compiled project starts, or says in one line why it does not; how it reports and ends."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import __version__
from tests.conftest import MakeProject, StartService
from tests.process import clean_environment, free_port
from tests.project import COMMAND, Project

NAPS = '''
    def nap(seconds: float) -> str:
        """Wait."""
        return "rested"
    '''
FILES = {
    "agents/analyst.md": "---\ntools: [nap]\n---\nFind the facts.\n",
    "tools.yaml": "nap:\n  module: naps\n  call: nap\n",
    "tools/naps.py": NAPS,
}
# Python without the package that the first argument names.
WITHOUT = """
import runpy, sys
absent = sys.argv.pop(1)
class Absent:
    def find_spec(self, name, path, target=None):
        if name == absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
sys.argv.pop(0)
"""


@pytest.fixture
def compiled(project: MakeProject) -> Project:
    made = project(FILES)
    made.generate()
    return made


def python(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env=clean_environment(environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("path", ["agents/analyst.py", "runtime/logs.py", "runtime/errors.py"])
@pytest.mark.parametrize("text", [None, "import imported_by_hand\n", ")\n"])
@pytest.mark.parametrize("command", ["serve", "openapi"])
def test_what_was_edited_or_lost_is_one_line_and_not_run(
    compiled: Project, path: str, text: str | None, command: str
) -> None:
    compiled.write({"imported_by_hand.py": "print('I ran')\n"}, under=".")
    if text is None:
        (compiled.out / path).unlink()
    else:
        (compiled.out / path).write_text(text)
    done = python(compiled.root, "-m", "generated", command)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("generated is not what the compiler wrote")
    assert Path(path).stem in done.stderr
    assert path.startswith("runtime/errors") or "I ran" not in done.stdout


def test_the_version_is_that_of_the_compiler_that_wrote_it(compiled: Project) -> None:
    done = python(compiled.root, "-m", "generated", "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"generated, written by bmad2pf {__version__}\n"


@pytest.mark.parametrize("path", ["agents/analyst.py", "flows/default.py", "tools/naps.py"])
@pytest.mark.parametrize("text", ["import imported_by_hand\n", ")\n"])
def test_uvicorn_runs_nothing_that_was_edited(compiled: Project, path: str, text: str) -> None:
    compiled.write({"imported_by_hand.py": "print('I ran')\n"}, under=".")
    (compiled.out / path).write_text(text)
    done = python(compiled.root, "-m", "uvicorn", "generated.app:app", "--port", str(free_port()))
    assert done.returncode != 0
    assert f"generated is not what the compiler wrote (changed: {path})" in done.stderr
    assert "I ran" not in done.stdout


@pytest.mark.parametrize("folder", ["memory", "docs"])
def test_a_folder_that_cannot_be_written_stops_the_start(compiled: Project, folder: str) -> None:
    (compiled.root / folder).write_text("a file")
    done = python(compiled.root, "-m", "generated", PORT=str(free_port()))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert f"the folder {compiled.root / folder} cannot hold" in done.stderr
    bare = python(compiled.root, "-m", "uvicorn", "generated.app:app", "--port", str(free_port()))
    assert bare.returncode != 0
    assert f"the folder {compiled.root / folder} cannot hold" in bare.stderr


def test_trying_the_folders_leaves_nothing(compiled: Project, service: StartService) -> None:
    service(compiled.root)
    assert [*(compiled.root / "memory").iterdir(), *(compiled.root / "docs").iterdir()] == []


def test_a_package_that_is_missing_is_one_line(compiled: Project) -> None:
    code = WITHOUT + "from generated.runtime.command import main; main('generated', [])"
    done = python(compiled.root, "-c", code, "pydantic")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "the package pydantic is missing" in done.stderr
    assert "pip install -r generated/requirements.txt" in done.stderr


def test_a_package_that_a_tool_misses_is_one_line(project: MakeProject) -> None:
    made = project(
        {**FILES, "tools/naps.py": NAPS.replace("    def", "    import absent\n\n    def")}
    )
    made.generate()
    done = python(made.root, "-m", "generated")
    assert done.returncode == 2
    assert done.stderr == "generated: tools/naps.py imports absent, which is not installed\n"


@pytest.mark.parametrize("package, argument", [("jinja2", "--strict"), ("typer", "--help")])
def test_a_package_that_the_compiler_misses_is_one_line(
    project: MakeProject, package: str, argument: str
) -> None:
    made = project(FILES)
    code = WITHOUT + "runpy.run_path(sys.argv[0], run_name='__main__')"
    done = python(made.root, "-c", code, package, str(COMMAND), argument)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert f"the package {package} is missing" in done.stderr
    assert "pip install -r requirements.txt" in done.stderr


def test_with_keys_the_report_says_who_may_call(compiled: Project, service: StartService) -> None:
    running = service(compiled.root, {"BMAD_API_KEYS": "alice:short,b:long-enough-to-be-a-key"})
    assert "access    2 keys (alice, b)" in running.log
    assert "curl http://127.0.0.1" in running.log
    assert '-H "X-API-Key: …"' in running.log
    assert "/docs" not in running.log.replace(str(compiled.root / "docs"), "")
    assert "the key of alice has fewer than 16 characters" in running.log


def test_the_request_to_try_names_a_flow_where_it_must(
    project: MakeProject, service: StartService
) -> None:
    flows = "flows: {chapter: {sequence: [a1]}, page: {sequence: [a1]}, book: {sequence: [%s]}}"
    files = {f"agents/a{number}.md": "Write.\n" for number in range(1, 14)}
    made = project({**files, "workflow.yaml": flows % "{flow: chapter}, {flow: page}"})
    made.generate()
    running = service(made.root)
    assert "\nagents    a1, a10, a11, a12, a13, a2, a3, a4, a5, a6 and 3 more\n" in running.log
    assert "\nflows     chapter, page, book\n" in running.log
    said = re.search(r"^try .* -d '(.*)'$", running.log, re.MULTILINE)
    assert said is not None
    body = json.loads(said[1])
    assert body["flow"] == "book"
    assert running.client.post("/run", json=body).status_code == 200


def test_a_5xx_answer_is_an_error_with_its_code(compiled: Project, service: StartService) -> None:
    running = service(compiled.root)
    (compiled.root / "docs").rmdir()
    (compiled.root / "docs").write_text("a file")
    answer = running.client.put("/doc/a", content="x", headers={"content-type": "text/markdown"})
    assert answer.status_code == 500
    running.stop()
    lines = [json.loads(text) for text in running.log.splitlines() if text.startswith("{")]
    request = next(line for line in lines if line["message"] == "PUT /doc/a")
    assert (request["level"], request["status"], request["code"]) == ("error", 500, "store_failed")


def test_a_signal_ends_it_with_one_word(compiled: Project, service: StartService) -> None:
    running = service(compiled.root)
    running.signal(signal.SIGINT)
    assert running.wait() == 0
    assert json.loads(running.log.splitlines()[-1])["message"] == "stopped"
