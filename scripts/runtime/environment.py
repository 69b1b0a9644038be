"""The environment variables that are settings, and where each of them goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

Path = tuple[str, ...]


class Variable(NamedTuple):
    """`path` leads to the setting; `number` says that it is a whole number."""

    name: str
    path: Path
    number: bool = False


class Given(NamedTuple):
    """A value and who gave it: a variable's name, or `config/secrets.env:3`."""

    value: str
    where: str


VARIABLES: Final = (
    Variable("LLM_PROVIDER", ("llm", "provider")),
    Variable("LLM_MODEL", ("llm", "model")),
    Variable("OPENAI_API_KEY", ("secrets", "openai_api_key")),
    Variable("OPENAI_BASE_URL", ("llm", "base_url")),
    Variable("ANTHROPIC_API_KEY", ("secrets", "anthropic_api_key")),
    Variable("ANTHROPIC_BASE_URL", ("llm", "anthropic", "base_url")),
    Variable("GEMINI_API_KEY", ("secrets", "gemini_api_key")),
    Variable("GOOGLE_GEMINI_BASE_URL", ("llm", "google", "base_url")),
    Variable("GOOGLE_GENAI_API_VERSION", ("llm", "google", "api_version")),
    Variable("MEMORY_BACKEND", ("memory", "backend")),
    Variable("REDIS_URL", ("memory", "redis", "url")),
    Variable("BMAD_DATA_DIR", ("data_dir",)),
    Variable("BMAD_DATABASE_URL", ("runs", "database_url")),
    Variable("BMAD_API_KEYS", ("secrets", "api_keys")),
    Variable("BMAD_AUTH", ("server", "auth")),
    Variable("BMAD_METRICS", ("server", "metrics")),
    Variable("LOG_LEVEL", ("log_level",)),
    Variable("MAX_WORKERS", ("runs", "max_parallel_agents"), number=True),
    Variable("HOST", ("server", "host")),
    Variable("PORT", ("server", "port"), number=True),
    Variable("TESTING", ("testing",)),
    Variable("OTEL_SDK_DISABLED", ("tracing", "disabled")),
    Variable("OTEL_SERVICE_NAME", ("tracing", "service_name")),
    Variable("OTEL_TRACES_EXPORTER", ("tracing", "exporter")),
    Variable("OTEL_TRACES_SAMPLER", ("tracing", "sampler")),
    Variable("OTEL_TRACES_SAMPLER_ARG", ("tracing", "ratio")),
    Variable("OTEL_EXPORTER_OTLP_ENDPOINT", ("tracing", "endpoint")),
    Variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ("tracing", "traces_endpoint")),
    Variable("OTEL_EXPORTER_OTLP_HEADERS", ("tracing", "headers")),
    Variable("OTEL_EXPORTER_OTLP_TRACES_HEADERS", ("tracing", "traces_headers")),
    Variable("OTEL_EXPORTER_OTLP_PROTOCOL", ("tracing", "protocol")),
    Variable("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", ("tracing", "traces_protocol")),
)
_WORDS: Final = ("LOG_LEVEL", "BMAD_AUTH", "BMAD_METRICS", "LLM_PROVIDER", "MEMORY_BACKEND")
NAMES: Final = tuple(variable.name for variable in VARIABLES)


def overrides(given: Mapping[str, Given]) -> dict[Path, tuple[object, str]]:
    """What the variables set: path → (value, who said so)."""
    found: dict[Path, tuple[object, str]] = {}
    for variable in VARIABLES:
        if variable.name in given:
            value, where = given[variable.name]
            found[variable.path] = (_typed(variable, value), where)
    return found


def _typed(variable: Variable, value: str) -> object:
    if variable.name == "TESTING":
        return True
    if variable.name in _WORDS:
        return value if ":" in value else value.lower()  # a class has a module and capitals
    if variable.number and value.isascii() and value.isdecimal() and len(value) < 20:
        return int(value)
    return value
