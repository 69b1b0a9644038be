"""What a person wants to know when the service starts, ending with a request to try."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from .api.auth import access
from .flow import Flow
from .nodes import places_in
from .restoring import unfinished
from .settings import Settings
from .stores.select import place
from .subflow import Subflow

_EXAMPLE: Final = {"input": "A shopping list for two", "story_id": "S-1"}
_MAX_NAMES: Final = 12
_KEY_HEADER: Final = ' -H "X-API-Key: …"'
_EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104  (named, not bound)


def report(service: Any, listener: socket.socket) -> str:
    """The lines for `service`, which `listener` is about to serve."""
    settings: Settings = service.settings
    host, port = listener.getsockname()[:2]
    name = "127.0.0.1" if host in _EVERYWHERE else host
    address = f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
    where = f"port {port} of all addresses, here {address}" if name != host else address
    allowed, *short = access(settings)
    has_keys = settings.secrets.api_keys is not None
    header = _KEY_HEADER if has_keys else ""
    body = f"-H 'content-type: application/json' -d '{_example(service.flows)}'"
    lines = [
        f"bmad2pf   serving {where}",
        f"access    {allowed}",
        *(() if has_keys else (f"manual    {address}/docs",)),
        f"agents    {_listed(sorted(service.agents))}",
        f"flows     {_listed(list(service.flows))}",
        f"model     {_model(settings, service.services.model)}",
        f"memory    {place(settings)}",
        f"documents {settings.documents_dir}",
        *_traces(settings.tracing.url),
        *(f"warning   {warning}" for warning in (*settings.warnings, *short, *_left(settings))),
        f"try       curl {address}/run{header} {body}",
    ]
    return "\n".join(lines) + "\n"


def _traces(url: str | None) -> list[str]:
    """Where spans go, without the query: collectors take keys there."""
    if url is None:
        return []
    return [f"traces    to {urlsplit(url)._replace(query='', fragment='').geturl()}"]


def _listed(names: Sequence[str]) -> str:
    """All of a few names; of many, the first and how many more."""
    if len(names) <= _MAX_NAMES:
        return ", ".join(names) or "none"
    first = names[: _MAX_NAMES - 2]
    return f"{', '.join(first)} and {len(names) - len(first)} more"


def _example(flows: Mapping[str, Flow]) -> str:
    """A body that `/run` takes: with several flows and no `default` it has to name one."""
    if "default" in flows or len(flows) < 2:
        return json.dumps(_EXAMPLE)
    return json.dumps({**_EXAMPLE, "flow": _outermost(flows)})


def _outermost(flows: Mapping[str, Flow]) -> str:
    """The first flow that runs others and is run by none; else the first that none runs."""
    runs = {
        name: {node.build for node in places_in(flow.build()) if isinstance(node, Subflow)}
        for name, flow in flows.items()
    }
    inner = set().union(*runs.values())
    outer = [name for name, flow in flows.items() if flow.build not in inner]
    return next((name for name in outer if runs[name]), (outer or list(flows))[0])


def _left(settings: Settings) -> list[str]:
    told = unfinished(settings.memory_dir)
    return [] if told is None else [told]


def _model(settings: Settings, model: Any) -> str:
    if model.provider == "mock":
        script = settings.llm.script
        played = "" if script is None else f", {script} is played"
        return f"offline mock ({_why_mock(settings)}{played})"
    base_url = settings.llm.base_url
    at = f" at {urlsplit(base_url).netloc}" if base_url else ""
    return f"{model.provider}: {model.name}{at}"


def _why_mock(settings: Settings) -> str:
    if settings.testing:
        return "TESTING is set"
    if settings.llm.provider == "mock":
        return "llm.provider says so"
    return "no key is set"
