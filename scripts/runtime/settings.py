"""Everything that can be set: one frozen object, read once at the start and passed down.

`Settings()` holds the defaults of `config/runtime.yaml`; `load_settings` reads that file,
`config/secrets.env` and the environment. Nothing else reads the environment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

Provider = Literal["openai", "openai-compatible", "mock"]
OnMissingDoc = Literal["wait", "skip", "error"]

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}
_UNITS |= {"kib": 2**10, "mib": 2**20, "gib": 2**30}
_SIZE = re.compile(r"([0-9]{1,12})\s*([A-Za-z]{0,3})")


def parse_size(value: object) -> object:
    """`10MB` is 10 000 000 bytes and `10MiB` 10 485 760; a number is bytes already."""
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value.strip())
    if match is None or match[2].lower() not in _UNITS:
        raise ValueError("should be a number of bytes, such as 10MB, 512kB or 10MiB")
    return int(match[1]) * _UNITS[match[2].lower()]


def _check_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("should be an http or https URL")
    if parts.username or parts.password:
        raise ValueError("should not hold a user name or a password")
    return value.rstrip("/")


def _check_scope(value: str) -> str:
    if value != "isolated":
        raise ValueError("should be isolated: agents share memory by their own memory_scope")
    return value


Text = Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f\x7f]+$")]
Url = Annotated[Text, AfterValidator(_check_url)]
Size = Annotated[int, BeforeValidator(parse_size)]
Texts = Annotated[tuple[Text, ...], Field(strict=False)]


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, hide_input_in_errors=True, allow_inf_nan=False
    )


class LLMSettings(_Section):
    """`llm:`; times in seconds, `retries` counts attempts."""

    provider: Literal["auto"] | Provider = "auto"
    model: Text = "auto"
    base_url: Url | None = None
    timeout: float = Field(default=120, gt=0, le=86_400)
    retries: int = Field(default=3, ge=1, le=20)
    max_concurrency: int = Field(default=16, ge=1, le=10_000)
    prices: dict[str, Any] = Field(default_factory=dict, max_length=0)


class PromptSettings(_Section):
    """`prompt:`; how many characters of each part an agent sees at most."""

    input: int = Field(default=100_000, ge=1, le=10**8)
    outputs: int = Field(default=100_000, ge=1, le=10**8)
    documents: int = Field(default=200_000, ge=1, le=10**8)
    memory: int = Field(default=20_000, ge=1, le=10**8)


class RedisSettings(_Section):
    """`memory.redis:`; read when the Redis store is there. The URL may hold a password."""

    url: SecretStr = SecretStr("redis://localhost:6379/0")
    pool_size: int = Field(default=10, ge=1, le=10_000)
    max_connections: int = Field(default=50, ge=1, le=10_000)
    ttl: int = Field(default=86_400, ge=1)
    key_prefix: Text = "bmad_pf_"


class MemorySettings(_Section):
    """`memory:`; `commit` survives the process, `always` also a power cut (fsync)."""

    backend: Literal["file"] = "file"
    default_scope: Annotated[Text, AfterValidator(_check_scope)] = "isolated"
    durability: Literal["commit", "always"] = "commit"
    redis: RedisSettings = RedisSettings()


class DocumentSettings(_Section):
    """`documents:`; `dir` is relative to the data folder."""

    dir: Text = "docs"
    save_outputs: Literal["all", "created", "none"] = "all"


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
    drain_seconds: float = Field(default=8, ge=0, le=3600)


class Secrets(_Section):
    """What only the environment or `config/secrets.env` may hold."""

    openai_api_key: SecretStr | None = None
    api_keys: SecretStr | None = None


class Settings(_Section):
    """All settings; `root` is the folder that holds `generated/`, `warnings` are for the start."""

    llm: LLMSettings = LLMSettings()
    prompt: PromptSettings = PromptSettings()
    memory: MemorySettings = MemorySettings()
    documents: DocumentSettings = DocumentSettings()
    on_missing_doc: OnMissingDoc = "skip"
    runs: RunSettings = RunSettings()
    server: ServerSettings = ServerSettings()
    secrets: Secrets = Secrets()
    log_level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    testing: bool = False
    root: Path = Path()
    data_dir: Path = Path()
    warnings: tuple[str, ...] = ()

    @property
    def provider(self) -> Provider:
        """The provider that answers: `auto` decided, and `testing` always the mock."""
        if self.testing:
            return "mock"
        if self.llm.provider != "auto":
            return self.llm.provider
        if self.llm.base_url is not None:
            return "openai-compatible"
        return "openai" if self.secrets.openai_api_key is not None else "mock"

    @property
    def memory_dir(self) -> Path:
        """Where the file store of memory writes."""
        return self.data_dir / "memory"

    @property
    def documents_dir(self) -> Path:
        """Where documents are kept."""
        return self.data_dir / self.documents.dir


def load_settings(root: Path, environ: Mapping[str, str]) -> Settings:
    """Read `root`'s configuration; raises SettingsError naming `file:line` or a variable."""
    raise NotImplementedError
