"""The command line of `bmad2pf import`."""

from __future__ import annotations

import sys
from typing import Annotated, Final

import typer
from typer.exceptions import TyperException

from .arguments import FORMATS, HELP
from .diagnostics import one_line
from .exitcode import MISUSED
from .importing import ImportOptions

TO: Final = "./bmad"
app: Final = typer.Typer(
    add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)

_DESCRIPTION: Final = """\
Write a project in another form as native sources: agents/*.md, workflows/*.yaml and the
files that they name.

Understood are BMAD v4 and v6, agents of Claude Code and of Copilot, Agent Skills, and
CrewAI's agents.yaml with tasks.yaml. What is written is yours from then on. Importing again
takes over what has changed in SRC, and never what you have edited.

\b
Exit codes:
  0  imported
  1  imported, but with errors; or a file that was edited since is left as it is
  2  misuse, such as a missing SRC

\b
Examples:
  bmad2pf import ../their-project                       into ./bmad
  bmad2pf import ../their-project --report              what became of every construct
  bmad2pf import ../their-project --report=report.json  the same in a file
  bmad2pf --src ../their-project                        compile it without importing
"""


def _known_format(value: str) -> str:
    if value not in FORMATS:
        raise typer.BadParameter(f'"{value}" is not a format; use text or json')
    return value


@app.command(help=_DESCRIPTION, context_settings=HELP)
def command(
    context: typer.Context,
    src: Annotated[str, typer.Argument(metavar="SRC", help="The project's folder.")],
    to: Annotated[
        str, typer.Option(metavar="FOLDER", help="Where the native sources go; made if need be.")
    ] = TO,
    report: Annotated[
        str,
        typer.Option(
            metavar="[=FILE]",
            help="Tell what became of every construct, here or in FILE (.json or text).",
        ),
    ] = "",
    output_format: Annotated[
        str,
        typer.Option(metavar="text|json", callback=_known_format, help="How results are written."),
    ] = FORMATS[0],
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files that were edited since.")
    ] = False,
) -> None:
    """The parameters are Typer's way of declaring options; `read_options` takes them."""
    context.obj.append(ImportOptions(src, to, report, output_format, force))


def read_options(words: list[str]) -> ImportOptions:
    """What `words` after `import` ask for; ends the process for help and for mistakes."""
    chosen: list[ImportOptions] = []
    words = ["--report=-" if word == "--report" else word for word in words]
    try:
        code = app(words, prog_name="bmad2pf import", obj=chosen, standalone_mode=False)
    except typer.Abort:
        sys.exit(MISUSED)
    except TyperException as error:
        said = one_line(error.format_message()).removesuffix(".")
        sys.stderr.write(f"bmad2pf: {said} (bmad2pf import --help explains)\n")
        sys.exit(MISUSED)
    if not chosen:  # help has been told
        sys.exit(code)
    return chosen[0]
