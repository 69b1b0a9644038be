"""`python -m generated`: serve the tree, or print its OpenAPI document.

Only the standard library is imported before the tree is known to be what the compiler
wrote: a file that was edited or lost could break any other import.
"""

from __future__ import annotations

import argparse
import errno
import gc
import importlib
import json
import logging
import os
import socket
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from . import __version__

MISUSE: Final = 2
INTERRUPTED: Final = 130
_TREE: Final = Path(__file__).resolve().parent.parent

_EPILOG: Final = """\
exit codes: 0 done, 1 done but for what is named, 2 not done, with the reason on stderr

  PORT=9000 python -m {0}          on another port
  python -m {0} backup monday.zip  while the service runs
  python -m {0} memory --help      what a command can do

Settings: config/runtime.yaml and the environment (PORT, BMAD_API_KEYS, BMAD_DATA_DIR, …).
"""

# Options of other servers, and the variables that set the same here.
_VARIABLES: Final = {"--port": "PORT", "-p": "PORT", "--host": "HOST", "--log-level": "LOG_LEVEL"}

# Commands of one word.
_PLAIN: Final = {
    "serve": "serve the agents; what happens without a command",
    "openapi": "print the OpenAPI document as JSON",
}

# Commands with words of their own, by the module that reads them.
_GROUPS: Final = {
    "backup": ("backupcommand", "write memory and documents to one file"),
    "restore": ("backupcommand", "read such a file back"),
    "memory": ("memorycommand", "look after what memory holds: verify, compact, export, import"),
}


def main(package: str, arguments: Sequence[str] | None = None) -> None:
    """Run the command that was typed and exit: 0, 2 with one line on stderr, or its own code."""
    typed = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if setting := _set_elsewhere(package, typed):
            code: int | str = setting
        elif typed and typed[0] in _GROUPS:
            code = _damage() or _group(package, typed[0], typed[1:])
        else:
            parsed = _parser(package).parse_args(typed)
            code = _damage() or _run(package, parsed.command)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except ModuleNotFoundError as error:
        code = _missing(error)
    if isinstance(code, str):
        lines = code.splitlines()
        # What begins with the tree's name says already who speaks.
        told = (line if line.startswith(f"{package} ") else f"{package}: {line}" for line in lines)
        sys.stderr.writelines(f"{line}\n" for line in told)
        code = MISUSE
    sys.exit(code)


def _set_elsewhere(package: str, typed: Sequence[str]) -> str | None:
    """Where an option is to be set that other servers have, and this one has not."""
    for number, word in enumerate(typed[:2]):
        option, _, value = word.partition("=")
        if option in _VARIABLES:
            variable = _VARIABLES[option]
            shown = value or "".join(typed[number + 1 : number + 2]) or "…"
            return f"there is no {option}: set {variable}, {variable}={shown} python -m {package}"
    return None


def _parser(package: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {package}",
        description="Serve the compiled agents over HTTP.",
        epilog=_EPILOG.format(package),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    version = f"{package}, written by bmad2pf {__version__}"
    parser.add_argument(
        "--version", action="version", version=version, help="show the version and exit"
    )
    commands = parser.add_subparsers(dest="command", metavar="command")
    for name, told in _PLAIN.items():
        commands.add_parser(name, help=told, description=f"{told[0].upper()}{told[1:]}.")
    for name, (_, told) in _GROUPS.items():
        commands.add_parser(name, help=told)
    return parser


def _damage() -> str | None:
    """What is wrong with the tree's files; None when they are as the compiler wrote them."""
    try:
        from .errors import TreeError
        from .manifest import verify
    except (SyntaxError, ImportError, AttributeError, NameError) as error:
        # They need nothing but Python, so it is they that were changed.
        return f"{_TREE.name} is not what the compiler wrote ({error}): run bmad2pf again"
    try:
        verify(_TREE)
    except TreeError as error:
        return error.message
    return None


def _missing(error: ModuleNotFoundError) -> str:
    """One line on a package that is not installed, and who wants it."""
    module = str(error.name).partition(".")[0]
    inside = [
        Path(frame.filename).relative_to(_TREE)
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(_TREE)
    ]
    if inside and inside[-1].parts[0] == "tools":
        return f"{inside[-1]} imports {module}, which is not installed"
    requirements = f"{_TREE.name}/requirements.txt"
    return (
        f"the package {module} is missing: "
        f"install {requirements} first (pip install -r {requirements})"
    )


def _group(package: str, name: str, arguments: Sequence[str]) -> int | str:
    """What a group of commands says: its exit code, or what stands in the way."""
    from .errors import BMADError

    try:
        module = importlib.import_module(f".{_GROUPS[name][0]}", __package__)
        code: int = module.main(f"python -m {package} {name}", _TREE.parent, arguments)
    except BMADError as error:
        return error.message
    return code


def _run(package: str, command: str | None) -> int | str:
    """The exit code, or what stands in the way."""
    from .errors import BMADError

    try:
        return _openapi(package) if command == "openapi" else _serve(package)
    except BMADError as error:
        return error.message


def _application(package: str) -> Any:
    """The FastAPI application of the generated package."""
    # Imports make many objects that stay: looking through them for garbage, again and
    # again, takes a third of the start.
    gc.disable()
    try:
        return importlib.import_module(f"{package}.app").app
    finally:
        gc.freeze()
        gc.enable()


def _openapi(package: str) -> int:
    document = _application(package).openapi()
    sys.stdout.write(json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    return 0


def _serve(package: str) -> int:
    from . import logs
    from .api.auth import check_bind
    from .api.connection import make_server
    from .welcome import report

    app = _application(package)
    service = app.state.service
    check_bind(service.settings)
    logs.configure(service.settings.log_level, everything=True)
    service.open()
    listener = _listen(service.settings.server.host, service.settings.server.port)
    sys.stderr.write(report(service, listener))
    sys.stderr.flush()
    server = make_server(app, service.settings)
    server.run(sockets=[listener])
    logs.stopped()
    if server.left_behind:
        _leave()
    return 0


def _leave() -> NoReturn:
    """End at once: Python itself would wait for threads that may never end."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _listen(host: str, port: int) -> socket.socket:
    """A socket that is bound, so that the report can name its port. Raises BMADError."""
    from .errors import BMADError

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
        # asyncio does this for sockets of its own only. Without it the last packet of an answer
        # waits for the client's delayed acknowledgement of the one before: 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = "it is in use; set PORT to another, e.g. make run PORT=9000"
        else:
            reason = error.strerror or str(error)
        raise BMADError(f"cannot listen on {host} port {port}: {reason}") from None
