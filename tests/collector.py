"""A small OTLP/HTTP receiver: real requests, real protobuf, on a loopback port."""

from __future__ import annotations

import contextlib
import gzip
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

ERROR = 2  # of a status' code


@dataclass(frozen=True)
class Received:
    """One span as it came over the wire; times in nanoseconds, ids in hex."""

    name: str
    kind: int
    trace: str
    id: str
    parent: str
    start: int
    end: int
    status: int
    message: str
    attributes: Mapping[str, Any]
    events: tuple[tuple[str, Mapping[str, Any]], ...]


class Collector:
    """What has arrived: spans in order, the resource of the last ones, requests as they came."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.spans: list[Received] = []
        self.resource: dict[str, Any] = {}
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        """The status to answer; 404 for what is no traces' path."""
        if path.partition("?")[0] != "/v1/traces":
            return 404
        body = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
        self.headers.append(headers)
        self.bodies.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resource = _attributes(resource.resource.attributes)
            for scope in resource.scope_spans:
                self.spans += map(_received, scope.spans)
        return 200

    def named(self, name: str) -> Received:
        """The one span of that name."""
        (found,) = self.all_named(name)
        return found

    def all_named(self, name: str) -> list[Received]:
        return [span for span in self.spans if span.name == name]

    def tree(self) -> Any:
        """Names below names, by their starts: `{name: {…}}`, a list of pairs where one repeats."""

        def below(parent: str) -> list[tuple[str, Any]]:
            children = [span for span in self.spans if span.parent == parent]
            return [(span.name, below(span.id)) for span in sorted(children, key=_start)]

        known = {span.id for span in self.spans}
        tops = {span.parent for span in self.spans if span.parent not in known}
        return [each for top in sorted(tops) for each in below(top)]


def _start(span: Received) -> int:
    return span.start


def _received(span: Any) -> Received:
    return Received(
        name=span.name,
        kind=span.kind,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        status=span.status.code,
        message=span.status.message,
        attributes=_attributes(span.attributes),
        events=tuple((event.name, _attributes(event.attributes)) for event in span.events),
    )


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, str(kind))


@contextlib.contextmanager
def collecting(port: int = 0) -> Iterator[Collector]:
    """A collector that listens until the end of the block, on a free port unless told another."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = collector.take(self.path, headers, body)
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    collector = Collector(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
