"""The tracing that the settings ask for; without any nothing of OpenTelemetry's is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..errors import SettingsError
from ..settings import Settings, TracingSettings

if TYPE_CHECKING:
    from .tracing import Tracing

_PROTOCOL: Final = "http/protobuf"
_PACKAGES: Final = ("opentelemetry", "google", "requests")


def make_tracing(settings: Settings) -> Tracing | None:
    """What sends spans; None when they go nowhere.

    Raises SettingsError without its packages, or for what is asked for and not built.
    """
    asked = settings.tracing
    if asked.url is None:
        return None
    _check(asked)
    try:
        from .provider import make_provider  # imports the SDK
        from .tracing import Tracing

        return Tracing(make_provider(asked, asked.url))
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] not in _PACKAGES:
            raise
        message = "spans need the package opentelemetry-sdk and its OTLP exporter"
        hint = "pip install -r generated/requirements-otel.txt"
        raise SettingsError(message, where=_where(asked), hint=hint) from None


def _check(asked: TracingSettings) -> None:
    if asked.exporter not in (None, "otlp"):
        message = "spans are exported by otlp, or by none"
        raise SettingsError(message, where="OTEL_TRACES_EXPORTER")
    protocols = {
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": asked.traces_protocol,
        "OTEL_EXPORTER_OTLP_PROTOCOL": asked.protocol,
    }
    name = next((name for name, value in protocols.items() if value), "")
    if name and protocols[name] != _PROTOCOL:
        hint = "a collector takes it at port 4318"
        raise SettingsError(f"spans are sent as {_PROTOCOL} only", where=name, hint=hint)


def _where(asked: TracingSettings) -> str:
    if asked.traces_endpoint is not None:
        return "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
    return "OTEL_EXPORTER_OTLP_ENDPOINT" if asked.endpoint else "OTEL_TRACES_EXPORTER"
