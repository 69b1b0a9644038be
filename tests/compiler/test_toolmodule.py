"""Tools: their functions are looked up in source, described, and never run."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from scripts.compiler import toolmodule
from scripts.compiler.signature import Unclear, annotation_schema, describe
from tests.compiler.reading import codes, read

AGENT = "---\ntools: [t]\n---\n"


def schema(signature: str) -> dict[str, Any]:
    """The properties of `def f(signature)`."""
    function = ast.parse(f"def f({signature}): ...").body[0]
    assert isinstance(function, ast.FunctionDef)
    found = describe(function)
    jsonschema.Draft202012Validator.check_schema(found.schema)
    return found.schema


ANNOTATIONS: dict[str, dict[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "None": {"type": "null"},
    "Any": {},
    "typing.Any": {},
    "list": {"type": "array"},
    "list[int]": {"type": "array", "items": {"type": "integer"}},
    "List[str]": {"type": "array", "items": {"type": "string"}},
    "collections.abc.Sequence[str]": {"type": "array", "items": {"type": "string"}},
    "dict": {"type": "object"},
    "dict[str, Any]": {"type": "object"},
    "dict[str, int]": {"type": "object", "additionalProperties": {"type": "integer"}},
    "tuple[int, ...]": {"type": "array", "items": {"type": "integer"}},
    "tuple[int, str]": {
        "type": "array",
        "prefixItems": [{"type": "integer"}, {"type": "string"}],
        "minItems": 2,
        "maxItems": 2,
    },
    "str | None": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    "Optional[str]": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    "Union[int, str, None]": {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]},
    "int | str | None": {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]},
    "Literal['a', 1, None]": {"enum": ["a", 1, None]},
    "Annotated[int, 'how many']": {"type": "integer", "description": "how many"},
    "'list[str]'": {"type": "array", "items": {"type": "string"}},
}


@pytest.mark.parametrize("annotation", ANNOTATIONS)
def test_annotations_become_schemas(annotation: str) -> None:
    assert schema(f"x: {annotation}")["properties"] == {"x": ANNOTATIONS[annotation]}


UNCLEAR = ["Path", "dict[int, str]", "Literal[1.5]", "Callable[[int], str]", "1", "f()", "'not ('"]


@pytest.mark.parametrize("annotation", UNCLEAR)
def test_other_annotations_accept_any_value(annotation: str) -> None:
    assert schema(f"x: {annotation}")["properties"] == {"x": {}}


def test_endless_annotations_are_unclear() -> None:
    nested = "list[" * 40 + "int" + "]" * 40
    assert schema(f"x: {nested}")["properties"] == {"x": {}}
    node = ast.parse(" | ".join(["int"] * 40), mode="eval").body
    assert isinstance(node, ast.BinOp)
    with pytest.raises(Unclear):
        annotation_schema(node)


def test_defaults_and_required() -> None:
    found = schema(
        "a: str, b: int = 3, *rest: str, c: list = [1, 'x'], d: bool, e: str = g(), **more"
    )
    assert list(found["properties"]) == ["a", "b", "c", "d", "e"]
    assert found["required"] == ["a", "d"]
    assert found["properties"]["b"] == {"type": "integer", "default": 3}
    assert found["properties"]["c"] == {"type": "array", "default": [1, "x"]}
    assert found["properties"]["e"] == {"type": "string"}
    assert found["additionalProperties"] is False


def test_positional_only_parameters_keep_their_defaults_to_themselves() -> None:
    found = schema("a: int = 1, /, b: int = 2, *, c: int = 3")
    assert found["properties"] == {
        "b": {"type": "integer", "default": 2},
        "c": {"type": "integer", "default": 3},
    }


def tool(folder: Path, code: str, entry: str = "{module: mine, call: f}") -> list[str]:
    _, found = read(
        folder, {"agents/a.md": AGENT, "tools.yaml": f"t: {entry}\n", "tools/mine.py": code}
    )
    return codes(found)


def test_a_tool_is_described_by_its_docstring(tmp_path: Path) -> None:
    code = (
        'async def f(x: int) -> str:\n    """Does\n    much. \n\n    - And\n      more.\n    """\n'
    )
    files = {"agents/a.md": AGENT, "tools.yaml": "t: {module: mine, call: f, timeout: 3}"}
    project, found = read(tmp_path, files | {"tools/mine.py": code})
    assert found == []
    (one,) = project.tools
    assert one.description == "Does\nmuch.\n\n- And\n  more."
    assert (one.timeout, one.source) == (3, "bmad/tools/mine.py")
    assert project.tool_files == {"mine.py": code.encode()}
    files["tools.yaml"] = "t: {module: mine, call: f, description: Mine.}"
    project, _ = read(tmp_path, files)
    assert project.tools[0].description == "Mine."


CODE = {
    "def f(x: int): ...": [],
    "import os\ntry:\n    import x\nexcept ImportError:\n    def f(): ...\nelse:\n    pass": [],
    "def f(x): ...": ["BMAD403 1:25"],
    "def f(x: int, /): ...": ["BMAD405 1:25"],
    "from other import f": ["BMAD403 1:25"],
    "f = 1": ["BMAD403 1:25"],
    "class f: ...": ["BMAD403 1:25"],
    "def g(): ...": ["BMAD401 1:25"],
    "if True:\n    def f(): ...": [],
    "class C:\n    def f(self): ...": ["BMAD401 1:25"],
    "def f(": ["BMAD402 1:0"],
    "def f(): ...\nx = '\\d'": [],
    "x = " + "(" * 5000 + ")" * 5000: ["BMAD402 1:0"],
    "x = " + "-" * 100_000 + "1": ["BMAD402 0:0"],
}


@pytest.mark.parametrize("code", CODE, ids=lambda code: str(code)[:30])
def test_functions_are_found_in_source(tmp_path: Path, code: str) -> None:
    assert tool(tmp_path, code) == CODE[code]


ENTRIES = {
    "{module: json, call: dumps}": ["BMAD403 1:25"],
    "{module: textwrap, call: no_such}": ["BMAD401 1:29"],
    "{module: json.decoder, call: scanstring}": ["BMAD403 1:33"],
    "{module: xml.etree.ElementTree, call: fromstring}": ["BMAD403 1:42"],
    "{module: math, call: sqrt}": ["BMAD403 1:25"],
    "{module: no_such_module, call: f}": ["BMAD401 1:13"],
    "{module: json.no_such, call: f}": ["BMAD401 1:13"],
    "{module: json.dumps.deeper, call: f}": ["BMAD401 1:13"],
    "{module: os, call: system}": ["BMAD110 1:13"],
    "{module: os.path, call: join}": ["BMAD110 1:13"],
    "{module: subprocess, call: run}": ["BMAD110 1:13"],
    "{module: ..x, call: f}": ["BMAD110 1:13"],
    "{module: .mine, call: f}": ["BMAD110 1:13"],
    "{module: 'os;import x', call: f}": ["BMAD110 1:13"],
    "{module: class, call: f}": ["BMAD110 1:13"],
    "{module: a-b, call: f}": ["BMAD110 1:13"],
    "{module: tools/mine.py, call: f}": ["BMAD110 1:13"],
    "{module: 'mine\n', call: f}": ["BMAD110 1:13"],
    f"{{module: {'.'.join('x' * 1000)}, call: f}}": ["BMAD110 1:13"],
    "{module: mine, call: a.b.__class__}": ["BMAD110 1:25"],
    "{module: mine, call: _f}": ["BMAD110 1:25"],
    "{module: mine, call: lambda}": ["BMAD110 1:25"],
    "{module: mine, call: f, timeout: 0}": ["BMAD110 1:37"],
    "{module: mine, call: f, command: rm}": ["BMAD108 1:28"],
    "{module: mine}": ["BMAD109 1:1"],
    "mine.f": ["BMAD109 1:4"],
}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: str(entry)[:40])
def test_entries_are_data(tmp_path: Path, entry: str) -> None:
    assert tool(tmp_path, "def f(): ...", entry) == ENTRIES[entry]


@pytest.mark.parametrize("name", ["1a", "a b", "a.b", "-a", "x" * 65, "é", "os;import x"])
def test_names_of_tools_fit_a_pattern(tmp_path: Path, name: str) -> None:
    text = f"'{name}': {{module: mine, call: f}}\n"
    _, found = read(
        tmp_path, {"agents/a.md": "", "tools.yaml": text, "tools/mine.py": "def f(): ..."}
    )
    assert codes(found) == ["BMAD111 1:1", "BMAD404 1:1"]


def test_an_installed_module_is_found_without_importing_its_parents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    for name in ("regular/__init__.py", "regular/part.py", "spread/deep/part.py"):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text("raise SystemExit('imported')\ndef f(x: int): ...\n")
    monkeypatch.syspath_prepend(str(site))
    before = set(sys.modules)
    for module in ("regular", "regular.part", "spread.deep.part"):
        found = toolmodule.find(module, {})
        assert found is not None
        assert found.code is not None
        assert toolmodule.find_function(toolmodule.parse(found.code), "f") is not None
    assert toolmodule.find("spread.deep.none", {}) is None
    assert {
        name for name in set(sys.modules) - before if name.startswith(("regular", "spread"))
    } == set()


def test_nothing_of_the_authors_is_run(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    touch = f"open({str(canary)!r}, 'w').close()\n"
    code = f"{touch}def f(x: int = {touch.strip()}): ...\nclass C(metaclass={touch.strip()}): ...\n"
    files = {
        "agents/a.md": AGENT,
        "tools.yaml": "t: {module: mine, call: f}\nu: {module: pack.part, call: f}\n",
        "tools/mine.py": code,
        "tools/pack/__init__.py": code,
        "tools/pack/part.py": code,
    }
    project, _ = read(tmp_path, files)
    assert len(project.tools) == 2
    assert not canary.exists()


STRAYS = {
    "import words": ["BMAD406 1:1"],
    "import words as w, json": ["BMAD406 1:1"],
    "from words import x": ["BMAD406 1:1"],
    "from pack.part import x": ["BMAD406 1:1"],
    "def f():\n    import pack.part": ["BMAD406 2:5"],
    "from .words import x": [],
    "from . import words": [],
    "import json": [],
    "import elsewhere.words": [],
}


@pytest.mark.parametrize("code", STRAYS)
def test_neighbours_are_imported_relatively(tmp_path: Path, code: str) -> None:
    files = {
        "agents/a.md": "",
        "tools/mine.py": code,
        "tools/words.py": "",
        "tools/pack/part.py": "",
    }
    _, found = read(tmp_path, files | {"tools/json.py": ""})
    assert codes(found) == STRAYS[code]


def test_the_hint_counts_the_dots(tmp_path: Path) -> None:
    files = {
        "agents/a.md": "",
        "tools/a/b/c.py": "from a.d import x\nimport top",
        "tools/a/d.py": "",
    }
    _, found = read(tmp_path, files | {"tools/top.py": ""})
    assert [each.hint for each in found] == [
        "write from ...a.d import …",
        "write from ... import top",
    ]


def test_a_broken_tools_file_hides_no_other_finding(tmp_path: Path) -> None:
    """And brings no findings about tools that it may define."""
    _, found = read(tmp_path, {"agents/a.md": AGENT, "agents/b.md": "---\nx", "tools.yaml": "a: ["})
    assert [each.code for each in found] == ["BMAD104", "BMAD105"]
