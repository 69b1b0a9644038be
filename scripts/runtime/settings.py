"""Everything that can be set: one frozen object, read once at the start and passed down.

`Settings()` holds the defaults of `config/runtime.yaml`; `configuration.py` reads what is set.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from .settingvalues import (
    Headers,
    Key,
    Ratio,
    Size,
    Switch,
    Text,
    Texts,
    Url,
    check_redis,
    one_of,
)

BACKENDS: Final = ("file", "redis")
PROVIDERS: Final = ("openai", "openai-compatible", "anthropic", "google", "mock")
# The providers that need a key, in the order in which `auto` looks for one.
KEYS: Final[Mapping[str, str]] = {
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "google": "GEMINI_API_KEY",
}
_COLLECTOR: Final = "http://localhost:4318"
OnMissingDoc = Literal["wait", "skip", "error"]


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, hide_input_in_errors=True, allow_inf_nan=False
    )


Dollars = Annotated[float, Field(ge=0, le=1_000_000)]
PerMinute = Annotated[int, Field(ge=1, le=10**12)]


class PriceSettings(_Section):
    """One model of `llm.prices:`; US dollars for a million tokens, `cached` else as `input`."""

    input: Dollars
    output: Dollars
    cached: Dollars | None = None


class LimitSettings(_Section):
    """One provider of `llm.limits:`; None is no limit."""

    requests_per_minute: PerMinute | None = None
    tokens_per_minute: PerMinute | None = None


class AnthropicSettings(_Section):
    """`llm.anthropic:`; another server that speaks Anthropic's API."""

    base_url: Url | None = None


class GoogleSettings(_Section):
    """`llm.google:`; another server that speaks Gemini's API, and the version it speaks."""

    base_url: Url | None = None
    api_version: Text | None = None


class LLMSettings(_Section):
    """`llm:`; times in seconds, `retries` counts attempts.

    `base_url` is that of a server that speaks OpenAI's API; `script` a file below the root.
    """

    provider: Annotated[Text, AfterValidator(one_of(("auto", *PROVIDERS)))] = "auto"
    model: Text = "auto"
    base_url: Url | None = None
    anthropic: AnthropicSettings = AnthropicSettings()
    google: GoogleSettings = GoogleSettings()
    timeout: float = Field(default=120, gt=0, le=86_400)
    first_token_timeout: float | None = Field(default=60, gt=0, le=86_400)
    retries: int = Field(default=3, ge=1, le=20)
    max_concurrency: int = Field(default=16, ge=1, le=10_000)
    prices: dict[Text, PriceSettings] = Field(default_factory=dict, max_length=10_000)
    limits: dict[Text, LimitSettings] = Field(default_factory=dict, max_length=1_000)
    script: Text | None = None


class PromptSettings(_Section):
    """`prompt:`; how many characters of each part an agent sees at most."""

    input: int = Field(default=100_000, ge=1, le=10**8)
    outputs: int = Field(default=100_000, ge=1, le=10**8)
    documents: int = Field(default=200_000, ge=1, le=10**8)
    memory: int = Field(default=20_000, ge=1, le=10**8)
    recall: int = Field(default=20_000, ge=1, le=10**8)


class RedisSettings(_Section):
    """`memory.redis:`; the URL may hold a password.

    `pool_size` connections are kept, at most `max_connections` are there; `ttl` in seconds since
    the last write of a scope, None for ever.
    """

    url: Annotated[SecretStr, AfterValidator(check_redis)] = SecretStr("redis://localhost:6379/0")
    pool_size: int = Field(default=10, ge=1, le=10_000)
    max_connections: int = Field(default=50, ge=1, le=10_000)
    ttl: int | None = Field(default=86_400, ge=1, le=10**10)
    key_prefix: Text = "bmad_pf_"


class MemorySettings(_Section):
    """`memory:`; `backend` is one of BACKENDS, or `package.module:Class`.

    Of files, `commit` survives the process, `always` also a power cut (fsync). `strict` does not
    start on damaged files. A file over `compact_above` bytes and `compact_ratio` times what is
    kept of it is compacted, to the newest value of each key and the last `history` writes.
    """

    backend: Annotated[Text, AfterValidator(one_of(BACKENDS))] = "file"
    default_scope: Literal["isolated"] = "isolated"
    durability: Literal["commit", "always"] = "commit"
    strict: bool = False
    history: int = Field(default=1000, ge=1, le=10**7)
    compact_above: Size = Field(default=8_000_000, ge=1_000, le=2**50)
    compact_ratio: float = Field(default=2, ge=1.1, le=1000)
    redis: RedisSettings = RedisSettings()


class DocumentSettings(_Section):
    """`documents:`; `dir` is relative to the data folder, `revisions` how many are kept of each."""

    dir: Text = "docs"
    save_outputs: Literal["all", "created", "none"] = "all"
    revisions: int = Field(default=100, ge=0, le=100_000)


class RunSettings(_Section):
    """`runs:`; `timeout` in seconds for a whole run."""

    max_parallel_agents: int = Field(default=10, ge=1, le=10_000)
    timeout: float = Field(default=1800, gt=0, le=604_800)
    database_url: None = None


class ServerSettings(_Section):
    """`server:`; `max_body` in bytes, `drain_seconds` to finish runs after SIGTERM."""

    host: Text = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    cors_origins: Texts = ()
    max_body: Size = Field(default=10_000_000, ge=1_000, le=2**30)
    rate_limit: None = None
    auth: Literal["auto", "off"] = "auto"
    metrics: Literal["open", "key", "off"] = "open"
    drain_seconds: float = Field(default=8, ge=0, le=3600)


class Secrets(_Section):
    """What only the environment or `config/secrets.env` may hold."""

    openai_api_key: Key | None = None
    anthropic_api_key: Key | None = None
    gemini_api_key: Key | None = None
    api_keys: SecretStr | None = None


Sampler = Literal[
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
]


class TracingSettings(_Section):
    """Where spans go, in OpenTelemetry's own variables only; nowhere unless one of them says so.

    `endpoint` is a collector's base URL, `traces_endpoint` a whole one; `ratio` is of `sampler`.
    """

    disabled: Switch = False
    service_name: Text | None = None
    exporter: Text | None = None
    sampler: Sampler = "parentbased_always_on"
    ratio: Ratio = 1.0
    endpoint: Url | None = None
    traces_endpoint: Url | None = None
    headers: Headers | None = None
    traces_headers: Headers | None = None
    protocol: Text | None = None
    traces_protocol: Text | None = None

    @property
    def url(self) -> str | None:
        """Where spans are sent; None when nowhere."""
        if self.disabled or self.exporter == "none":
            return None
        if self.traces_endpoint is not None:
            return self.traces_endpoint
        base = self.endpoint or (_COLLECTOR if self.exporter is not None else None)
        return base and f"{base}/v1/traces"


class Settings(_Section):
    """All settings; `root` is the folder that holds `generated/`.

    For the start: `warnings`, and who said `server.host` (`file:line` or HOST).
    """

    llm: LLMSettings = LLMSettings()
    prompt: PromptSettings = PromptSettings()
    memory: MemorySettings = MemorySettings()
    documents: DocumentSettings = DocumentSettings()
    on_missing_doc: OnMissingDoc = "skip"
    runs: RunSettings = RunSettings()
    server: ServerSettings = ServerSettings()
    secrets: Secrets = Secrets()
    tracing: TracingSettings = TracingSettings()
    log_level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    testing: bool = False
    root: Path = Path()
    data_dir: Path = Path()
    warnings: tuple[str, ...] = ()
    host_from: str = "server.host"

    @property
    def provider(self) -> str:
        """The provider that answers: `auto` decided, and `testing` always the mock.

        One of PROVIDERS, or `package.module:Class`.
        """
        if self.testing:
            return "mock"
        if self.llm.provider != "auto":
            return self.llm.provider
        if self.llm.base_url is not None:
            return "openai-compatible"
        return next((name for name in KEYS if self.key_of(name) is not None), "mock")

    def key_of(self, provider: str) -> str | None:
        """The provider's key, None without one."""
        secrets = self.secrets
        keys = {
            "openai": secrets.openai_api_key,
            "openai-compatible": secrets.openai_api_key,
            "anthropic": secrets.anthropic_api_key,
            "google": secrets.gemini_api_key,
        }
        key = keys.get(provider)
        return None if key is None else key.get_secret_value()

    @property
    def memory_dir(self) -> Path:
        """Where the file store of memory writes."""
        return self.data_dir / "memory"

    @property
    def documents_dir(self) -> Path:
        """Where documents are kept."""
        return self.data_dir / self.documents.dir
