"""Imports point one way, and nothing that runs text as code is used anywhere."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project import ROOT

SCRIPTS = ROOT / "scripts"
FILES = sorted(path for path in SCRIPTS.rglob("*.py") if "__pycache__" not in path.parts)
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in FILES
}
LEAVES_FOR_THE_COMPILER = {
    f"scripts.runtime.{leaf}" for leaf in ("condition", "spec", "template", "yamltext")
}
FORBIDDEN_NAMES = {"exec", "eval", "compile", "__import__"}
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle"}
FORBIDDEN_IN_THE_COMPILER = {"runpy", "imp"}
FORBIDDEN_CALLS = {
    "yaml.load",
    "yaml.load_all",
    "yaml.full_load",
    "yaml.unsafe_load",
    "os.system",
    "os.popen",
}


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _package(module: str) -> str:
    return module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]


def _imported(module: str, node: ast.stmt) -> Iterator[str]:
    """The absolute names that one import statement asks for."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parts = _package(module).split(".")
            kept = parts[: len(parts) - node.level + 1]
            base = ".".join([*kept, base] if base else kept)
        for alias in node.names:
            inner = f"{base}.{alias.name}"
            yield inner if inner in MODULES else base


def _all_imports(module: str) -> set[str]:
    nodes = ast.walk(_tree(MODULES[module]))
    return {
        name for node in nodes if isinstance(node, ast.stmt) for name in _imported(module, node)
    }


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def test_the_scan_sees_the_packages() -> None:
    assert {"scripts.runtime.spec", "scripts.compiler.model"} <= MODULES.keys()
    assert "scripts.compiler.diagnostics" in _all_imports("scripts.compiler.model")


@pytest.mark.parametrize("module", sorted(m for m in MODULES if m.startswith("scripts.runtime")))
def test_runtime_imports_nothing_of_ours_but_itself(module: str) -> None:
    ours = {name for name in _all_imports(module) if name.split(".")[0] == "scripts"}
    assert {name for name in ours if not name.startswith("scripts.runtime")} == set()


@pytest.mark.parametrize("module", sorted(m for m in MODULES if m.startswith("scripts.compiler")))
def test_compiler_knows_only_four_leaves_of_the_runtime(module: str) -> None:
    of_runtime = {name for name in _all_imports(module) if name.startswith("scripts.runtime")}
    assert of_runtime <= LEAVES_FOR_THE_COMPILER


def test_no_two_modules_know_each_other() -> None:
    """Imports for types and those inside of functions count: who knows whom is what matters."""
    graph = {
        module: {name for name in _all_imports(module) if name in MODULES and name != module}
        for module in MODULES
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SCRIPTS).as_posix())
def test_imports_of_ours_are_relative_and_code_stays_data(path: Path) -> None:
    found = [
        f"{path.name}:{getattr(node, 'lineno', 0)}: {fault}"
        for node in ast.walk(_tree(path))
        for fault in _faults(path, node)
    ]
    assert found == []


def _faults(path: Path, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield from _import_faults(path, node)
    elif isinstance(node, ast.Call):
        name = _dotted(node.func).removeprefix("builtins.")
        if name in FORBIDDEN_NAMES | FORBIDDEN_CALLS:
            yield f"calls {name}"
        if name == "importlib.import_module" and "compiler" in path.parts:
            yield "imports by name"
        for keyword in node.keywords:
            if keyword.arg == "shell" and not _is_false(keyword.value):
                yield "runs a shell"


def _import_faults(path: Path, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    absolute = isinstance(node, ast.Import) or node.level == 0
    tops = {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        tops = {node.module or ""}
    tops = {name.split(".")[0] for name in tops}
    launcher = path == SCRIPTS / "bmad2pf.py"
    if absolute and not launcher and tops & {"scripts", "bmad2pf", "generated"}:
        yield "names our package absolutely"
    forbidden = FORBIDDEN_MODULES | (
        FORBIDDEN_IN_THE_COMPILER if "compiler" in path.parts else set()
    )
    if absolute and tops & forbidden:
        yield f"imports {sorted(tops & forbidden)}"


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False
