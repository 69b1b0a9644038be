"""What the service says when it starts."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from scripts.runtime.welcome import report

from .api import application, serve


@pytest.mark.parametrize(
    ("tracing", "lines"),
    [
        ({}, []),
        ({"disabled": True, "endpoint": "http://127.0.0.1:4"}, []),
        ({"endpoint": "http://127.0.0.1:4"}, ["traces    to http://127.0.0.1:4/v1/traces"]),
        (
            {"traces_endpoint": "http://127.0.0.1:4/here?key=top-secret"},
            ["traces    to http://127.0.0.1:4/here"],
        ),
    ],
)
def test_it_says_where_spans_go(tmp_path: Path, tracing: dict[str, Any], lines: list[str]) -> None:
    app = application(tmp_path, settings={"tracing": tracing})
    with serve(app) as served, socket.create_server(("127.0.0.1", 0)) as listener:
        told = report(served.service, listener)
    assert [line for line in told.splitlines() if line.startswith("traces")] == lines
