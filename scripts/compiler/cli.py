"""The command line that people see. What is plain is read by `arguments` before this is asked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from typer.exceptions import TyperException

from .. import __version__
from .arguments import COMMANDS, FORMATS, HELP, OUT, SRC, Options
from .diagnostics import near_match, one_line
from .exitcode import MISUSED

app: Final = typer.Typer(
    add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)
_DESCRIPTION: Final = """\
Compile agents written in Markdown into a PocketFlow service.

Reads agents/*.md, workflow.yaml and tools.yaml below --src, and writes a Python package
to --out that runs by itself: `python -m generated`. The output is written whole or not at
all, and a file that would not change keeps its time.

\b
Exit codes:
  0  nothing to say, or only notes and warnings
  1  errors; with --strict also warnings; with --check also an output out of date
  2  misuse, such as a missing --src, or a fault of the compiler itself

\b
Examples:
  bmad2pf                            compile ./bmad into ./generated
  bmad2pf --check --strict           what continuous integration asks
  bmad2pf --diff                     show what a run would change
  bmad2pf --output-format json       findings for another program
  bmad2pf import ../their-project    a project in another form as native sources
"""


def _show_version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"bmad2pf {__version__}\n")
        raise typer.Exit


def _known_format(value: str) -> str:
    if value in ("github", "sarif"):
        raise typer.BadParameter(f'"{value}" is not supported yet; use text or json')
    if value not in FORMATS:
        raise typer.BadParameter(f'"{value}" is not a format; use text or json')
    return value


def _chosen(context: typer.Context) -> Options:
    """What Typer understood, as the rest of the compiler takes it."""
    options = Options()
    for name, value in context.params.items():
        if name != "version":
            setattr(options, "format" if name == "output_format" else name, value)
    if options.diff and options.format == "json":
        raise typer.BadParameter("--diff is text; it cannot be had with --output-format json")
    return options


@app.command(help=_DESCRIPTION, context_settings=HELP)
def command(  # noqa: PLR0913  a command's options are its parameters
    context: typer.Context,
    src: Annotated[str, typer.Option(metavar="FOLDER", help="The sources.")] = SRC,
    out: Annotated[str, typer.Option(metavar="FOLDER", help="The output; made if need be.")] = OUT,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if the output is out of date.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 on warnings too; they stop no writing.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Write nothing; show what would change.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite generated files that were edited by hand.")
    ] = False,
    keep_going: Annotated[
        bool,
        typer.Option("--keep-going", help="Leave out what is broken, compile the rest; exits 1."),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Tell the stages and their times.")
    ] = False,
    output_format: Annotated[
        str,
        typer.Option(metavar="text|json", callback=_known_format, help="How results are written."),
    ] = FORMATS[0],
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """The parameters are Typer's way of declaring options; `read_options` takes them."""
    context.obj.append(_chosen(context))


def read_options(words: list[str]) -> Options:
    """What `words` ask for; ends the process for help, for the version and for mistakes."""
    chosen: list[Options] = []
    if words and not words[0].startswith("-"):
        sys.stderr.write(f"bmad2pf: {_no_command(words[0])} (bmad2pf --help explains)\n")
        sys.exit(MISUSED)
    try:
        code = app(words, prog_name="bmad2pf", obj=chosen, standalone_mode=False)
    except typer.Abort:
        sys.exit(MISUSED)
    except TyperException as error:
        said = one_line(error.format_message()).removesuffix(".")
        sys.stderr.write(f"bmad2pf: {said} (bmad2pf --help explains)\n")
        sys.exit(MISUSED)
    if not chosen:  # help and the version have been told
        sys.exit(code)
    return chosen[0]


def _no_command(word: str) -> str:
    """What is wrong with a first word that is no option."""
    if Path(word).is_dir():
        return one_line(f'"{word}" is no command; write --src {word} to compile that folder')
    near = near_match(word, COMMANDS)
    return one_line(f'there is no command "{word}"{near and "; "}{near}')
