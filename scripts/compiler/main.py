"""The entry: the short way where nothing has changed, else the compiler, else Typer.

Modules are imported where they are needed: a run that has nothing to do imports none of them.
"""

from __future__ import annotations

import sys
from os.path import normpath
from time import perf_counter

from .arguments import Options, not_yet, plain
from .exitcode import FOUND, MISUSED, SUCCESS
from .fresh import is_fresh
from .manifest import Manifest
from .summary import Style, as_json, finding, tally, unchanged


def main() -> None:
    """Run the command that `sys.argv` holds, and end the process with its exit code."""
    try:
        words = sys.argv[1:]
        if words[:1] == ["import"]:
            sys.exit(_import(words[1:]))
        options = plain(words)
        if options is None:
            if (coming := not_yet(words)) is not None:
                sys.stderr.write(f"bmad2pf: `{coming}` is not supported yet\n")
                sys.exit(MISUSED)
            options = _asked_of_typer()
        sys.exit(run(options))
    except BrokenPipeError:
        # Whoever read us has gone: there is nobody to tell.
        sys.stdout = sys.stderr
        sys.exit(MISUSED)
    except ModuleNotFoundError as error:
        if str(error.name).startswith(("scripts.", "bmad2pf.")):
            raise
        sys.stderr.write(
            f"bmad2pf: the package {error.name} is missing: "
            "install requirements.txt first (pip install -r requirements.txt)\n"
        )
        sys.exit(MISUSED)
    except Exception:  # noqa: BLE001  our own fault keeps its traceback; only the code is ours
        sys.excepthook(*sys.exc_info())
        sys.exit(MISUSED)


def _import(words: list[str]) -> int:
    from .importcli import read_options
    from .importing import import_project

    return import_project(read_options(words))


def _asked_of_typer() -> Options:
    from .cli import read_options

    return read_options(sys.argv[1:])


def run(options: Options) -> int:
    """Do what was asked and say so; the exit code."""
    started = perf_counter()
    known = is_fresh(options)
    if known is None:
        from .compile import compile_project

        return compile_project(options, started)
    spent = perf_counter() - started
    if options.verbose:
        sys.stderr.write(f"hashes    {spent * 1000:7.1f} ms\n")
    sys.stdout.write(_said(options, known, spent) + "\n")
    return FOUND if options.strict and any(each[0] == "warning" for each in known.told) else SUCCESS


def _said(options: Options, known: Manifest, spent: float) -> str:
    """What the compiler would say of sources and an output that it has seen."""
    shown = normpath(options.src).replace("\\", "/")
    counts = (known.agents, known.flows, len(known.files) + 1)
    places = [f"{shown}/{each[4]}" if each[4] else shown for each in known.told]
    if options.format == "json":
        return as_json(_json(known, places), *counts, 0, spent)
    style = Style(sys.stdout)
    found = tally((each[0] for each in known.told), strict=options.strict)
    lines = [finding(*each, style) for each in zip(places, known.told, strict=True)]
    return "\n".join([*lines, unchanged(*counts, found, spent)])


def _json(known: Manifest, places: list[str]) -> str:
    if not places:
        return "[]"
    import json

    found = [
        {
            "path": place,
            "line": int(line),
            "column": int(column),
            "code": code,
            "severity": severity,
            "message": message,
            "hint": hint,
        }
        for place, (severity, code, line, column, _, message, hint) in zip(
            places, known.told, strict=True
        )
    ]
    return json.dumps(found, ensure_ascii=False)
