"""OpenTelemetry's SDK as the settings want it: sampler, resource, exporter. Imports the SDK."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace import sampling as samplers
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from .. import __version__
from ..settings import TracingSettings
from ..settingvalues import read_headers
from .names import NAME

_log = logging.getLogger(__name__)


def make_provider(asked: TracingSettings, url: str) -> TracerProvider:
    """A provider that sends batches to `url` from a thread of its own.

    Sizes of batches, limits of spans, timeouts, compression and certificates are the SDK's own
    OTEL_ variables, which it reads from the environment. It is nobody's global provider.
    """
    # Their messages hold addresses, one a try: what has changed is told once, below.
    for module in (OTLPSpanExporter.__module__, "urllib3.connectionpool"):
        logging.getLogger(module).setLevel(logging.CRITICAL)
    secret = asked.traces_headers or asked.headers
    headers = None if secret is None else read_headers(secret.get_secret_value())
    exporter = ToldExporter(OTLPSpanExporter(endpoint=url, headers=headers))
    provider = TracerProvider(_sampler(asked), _resource(asked), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _resource(asked: TracingSettings) -> Resource:
    found = Resource.create({"service.version": __version__})
    if asked.service_name is not None:
        return found.merge(Resource({SERVICE_NAME: asked.service_name}))
    # The SDK's own default; OTEL_RESOURCE_ATTRIBUTES may have named it.
    if str(found.attributes[SERVICE_NAME]).startswith("unknown_service"):
        return found.merge(Resource({SERVICE_NAME: NAME}))
    return found


def _sampler(asked: TracingSettings) -> samplers.Sampler:
    name = asked.sampler.removeprefix("parentbased_")
    fixed = {"always_on": samplers.ALWAYS_ON, "always_off": samplers.ALWAYS_OFF}
    sampler: samplers.Sampler = fixed.get(name) or samplers.TraceIdRatioBased(asked.ratio)
    return samplers.ParentBased(sampler) if asked.sampler != name else sampler


class ToldExporter(SpanExporter):
    """Says once that spans do not arrive, and once that they do again; runs never know."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            if self._lost:
                _log.info("spans arrive again", extra={"facts": {"lost": self._lost}})
            self._lost = 0
            return result
        if not self._lost:
            _log.warning("spans do not arrive: is the collector up, and does it take OTLP/HTTP?")
        self._lost += len(spans)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)
