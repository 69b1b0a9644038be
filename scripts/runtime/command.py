"""`python -m generated`: serve the tree, or print its OpenAPI document."""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import socket
import sys
from collections.abc import Sequence
from typing import Any, Final

from . import logs
from .errors import BMADError

MISUSE: Final = 2
_EXAMPLE: Final = '{"input": "A shopping list for two", "story_id": "S-1"}'


def main(package: str, arguments: Sequence[str] | None = None) -> None:
    """Run the command that was typed and exit: 0, or 2 with one line on stderr."""
    parsed = _parser(package).parse_args(arguments)
    try:
        code = _openapi(package) if parsed.command == "openapi" else _serve(package)
    except BMADError as error:
        sys.stderr.write(f"{package}: {error.message}\n")
        code = MISUSE
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def _parser(package: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {package}",
        description="Serve the compiled agents over HTTP.",
        epilog="Settings: config/runtime.yaml and the environment (PORT, BMAD_API_KEYS, …).",
    )
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("serve", help="serve (what happens without a command)")
    commands.add_parser("openapi", help="print the OpenAPI document as JSON")
    return parser


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
    from .api.auth import check_bind
    from .api.connection import make_server

    app = _application(package)
    service = app.state.service
    check_bind(service.settings)
    logs.configure(service.settings.log_level, everything=True)
    service.open()
    listener = _listen(service.settings.server.host, service.settings.server.port)
    sys.stderr.write(_report(service, listener))
    sys.stderr.flush()
    make_server(app, service.settings).run(sockets=[listener])
    return 0


def _listen(host: str, port: int) -> socket.socket:
    """A socket that is bound, so that the report can name its port. Raises BMADError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = error.strerror or str(error)
        raise BMADError(f"cannot listen on {host} port {port}: {reason}") from None


def _report(service: Any, listener: socket.socket) -> str:
    """What a person wants to know at the start, ending with a request to try."""
    settings, model = service.settings, service.services.model
    host, port = listener.getsockname()[:2]
    name = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104  (named, not bound)
    address = f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
    mock = " (offline answers: no provider's key is set)" if model.provider == "mock" else ""
    lines = [
        f"bmad2pf   serving {address}  (documentation at {address}/docs)",
        f"agents    {', '.join(sorted(service.agents)) or 'none'}",
        f"flows     {', '.join(service.flows) or 'none'}",
        f"model     {model.provider}: {model.name}{mock}",
        f"memory    {service.memory.backend}, {settings.memory_dir}",
        f"documents {settings.documents_dir}",
        *(f"warning   {warning}" for warning in settings.warnings),
        f"try       curl {address}/run -H 'content-type: application/json' -d '{_EXAMPLE}'",
    ]
    return "\n".join(lines) + "\n"
