"""Looks a tool's function up in its source. Nothing is imported, nothing is run."""

from __future__ import annotations

import ast
import keyword
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Final, NamedTuple

MAX_MODULE: Final = 200
MAX_INSTALLED_BYTES: Final = 1 << 22
# Whoever names these gives a model the machine; a function of one's own says what is meant.
DANGEROUS: Final = frozenset(
    {
        "builtins",
        "code",
        "codeop",
        "ctypes",
        "importlib",
        "marshal",
        "nt",
        "os",
        "pickle",
        "posix",
        "pty",
        "runpy",
        "shutil",
        "socket",
        "subprocess",
        "sys",
    }
)
_SCRIPTS: Final = Path(__file__).resolve().parents[1]

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Module(NamedTuple):
    """A module that was found. `file` is below `tools/` for an author's own, else None.

    `code` is None for one without Python source, such as an extension.
    """

    file: str | None
    code: bytes | None


class BrokenModule(ValueError):
    """The file is no Python; `line` and `column` count from 1, 0 means unknown."""

    def __init__(self, reason: str, line: int, column: int) -> None:
        super().__init__(reason)
        self.line = line
        self.column = column


def is_module_name(text: str) -> bool:
    """Whether `text` may stand in an absolute import: `utils.text`."""
    return len(text) <= MAX_MODULE and all(is_name(part) for part in text.split("."))


def is_name(text: str) -> bool:
    return text.isascii() and text.isidentifier() and not keyword.iskeyword(text)


def find(module: str, files: Mapping[str, bytes]) -> Module | None:
    """The module among the author's `files` (paths below `tools/`), else an installed one."""
    stem = module.replace(".", "/")
    for path in (f"{stem}.py", f"{stem}/__init__.py"):
        if path in files:
            return Module(path, files[path])
    spec = _find_spec(module.split("."))
    if spec is None:
        return None
    return Module(None, _installed_code(spec))


def _find_spec(parts: list[str]) -> ModuleSpec | None:
    spec = _find_top(parts[0])
    # Each part is looked for by its bare name in its parent's folders: asking for the dotted
    # name would import the parent.
    for part in parts[1:]:
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(part, list(spec.submodule_search_locations))
    return spec


def _find_top(name: str) -> ModuleSpec | None:
    if name in sys.builtin_module_names:
        return ModuleSpec(name, None)
    found = PathFinder.find_spec(name, [entry for entry in sys.path if _is_installed(entry)])
    if found is not None:
        return found
    # Editable installations register finders of their own.
    for finder in sys.meta_path:
        if getattr(finder, "__module__", "").startswith("__editable__"):
            found = finder.find_spec(name, None)
            if found is not None:
                return found
    return None


def _is_installed(entry: str) -> bool:
    return entry != "" and Path(entry).resolve() != _SCRIPTS


def _installed_code(spec: ModuleSpec) -> bytes | None:
    path = Path(spec.origin) if spec.origin else None
    if path is None or path.suffix != ".py":
        return None
    try:
        return path.read_bytes() if path.stat().st_size <= MAX_INSTALLED_BYTES else None
    except OSError:
        return None


def parse(code: bytes) -> ast.Module:
    """The syntax of a file; raises BrokenModule."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an author's "\d" is not for us to judge
            return ast.parse(code)
    except SyntaxError as error:
        raise BrokenModule(error.msg or "it is no Python", error.lineno or 0, 0) from error
    except ValueError as error:
        raise BrokenModule("it holds a NUL character", 0, 0) from error
    except (RecursionError, MemoryError) as error:
        raise BrokenModule("it is nested too deeply", 0, 0) from error


def find_function(tree: ast.Module, name: str) -> Function | None:
    """The last definition of a function at the top level, conditions and `try` included."""
    found = None
    for statement in _statements(tree.body):
        if isinstance(statement, Function) and statement.name == name:
            found = statement
    return found


def names(tree: ast.Module) -> set[str]:
    """Whatever the top level gives a name to."""
    found: set[str] = set()
    for statement in _statements(tree.body):
        if isinstance(statement, Function | ast.ClassDef):
            found.add(statement.name)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).split(".")[0] for alias in statement.names}
        elif isinstance(statement, ast.Assign):
            found |= {target.id for target in statement.targets if isinstance(target, ast.Name)}
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            found.add(statement.target.id)
    return found


def functions(tree: ast.Module) -> set[str]:
    """The functions that could be meant."""
    return {s.name for s in _statements(tree.body) if isinstance(s, Function)}


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    waiting = list(body)[::-1]
    while waiting:
        statement = waiting.pop()
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.With):
            inner = list(statement.body)
            for handler in getattr(statement, "handlers", ()):
                inner += handler.body
            inner += getattr(statement, "orelse", [])
            inner += getattr(statement, "finalbody", [])
            waiting.extend(inner[::-1])


def docstring(function: Function) -> str:
    """The whole docstring without its indentation; empty without one.

    The same under every Python, which the cleaning of the standard library is not.
    """
    first, *rest = (ast.get_docstring(function, clean=False) or "").expandtabs().split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
    lines = [first.strip(), *(line[margin:].rstrip() for line in rest)]
    return "\n".join(lines).strip()


class StrayImport(NamedTuple):
    """An absolute import of a file that stands beside, which the copy cannot resolve."""

    name: str
    line: int
    column: int
    relative: str


def stray_imports(path: str, tree: ast.Module, files: Mapping[str, bytes]) -> list[StrayImport]:
    """Imports in `path` that name another file below `tools/` absolutely."""
    own = {file.split("/")[0].removesuffix(".py") for file in files if file.endswith(".py")}
    own -= sys.stdlib_module_names | {"__init__"}
    dots = "." * (path.count("/") + 1)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            modules = [node.module]
        else:
            continue
        for module in modules:
            if module.split(".")[0] in own:
                relative = _relative(dots, module, isinstance(node, ast.ImportFrom))
                found.append(StrayImport(module, node.lineno, node.col_offset + 1, relative))
    return found


def _relative(dots: str, module: str, names_something: bool) -> str:
    if names_something:
        return f"from {dots}{module} import …"
    parent, _, last = module.rpartition(".")
    return f"from {dots}{parent} import {last}"
