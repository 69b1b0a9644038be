"""Everything that can be set: one frozen object, read once at the start and passed down.

`Settings()` holds the defaults of `config/runtime.yaml`; `load_settings` reads that file,
`config/secrets.env` and the environment. Nothing else reads the environment.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)
from pydantic_core import ErrorDetails

from .configfile import read_config, read_text
from .environment import NAMES, Given, overrides
from .errors import SettingsError
from .redisurl import check_redis_url
from .secrets import parse_secrets

CONFIG_FILE: Final = "config/runtime.yaml"
SECRETS_FILE: Final = "config/secrets.env"

BACKENDS: Final = ("file", "redis")
PROVIDERS: Final = ("openai", "openai-compatible", "anthropic", "google", "mock")
# The providers that need a key, in the order in which `auto` looks for one.
KEYS: Final[Mapping[str, str]] = {
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "google": "GEMINI_API_KEY",
}
OnMissingDoc = Literal["wait", "skip", "error"]
Where = Callable[[Sequence[str | int]], str]

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}
_UNITS |= {"kib": 2**10, "mib": 2**20, "gib": 2**30}
_CLASS = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*", re.ASCII)
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


def _check_redis_url(value: SecretStr) -> SecretStr:
    check_redis_url(value.get_secret_value())
    return value


def _check_text(value: str) -> str:
    if not value.isprintable():
        raise ValueError("should hold printable characters only")
    return value


def _one_of(names: Sequence[str]) -> Callable[[str], str]:
    """One of `names`, or a class of the user's own."""

    def check(value: str) -> str:
        if value not in names and not _CLASS.fullmatch(value):
            known = ", ".join(f"'{name}'" for name in names)
            raise ValueError(f"should be {known}, or a class of your own as package.module:Class")
        return value

    return check


def _check_key(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError("should be printable ASCII without spaces")
    return value


Text = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_check_text)]
Key = Annotated[SecretStr, AfterValidator(_check_key)]
Url = Annotated[Text, AfterValidator(_check_url)]
Size = Annotated[int, BeforeValidator(parse_size)]
Texts = Annotated[tuple[Text, ...], Field(strict=False)]


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

    provider: Annotated[Text, AfterValidator(_one_of(("auto", *PROVIDERS)))] = "auto"
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

    url: Annotated[SecretStr, AfterValidator(_check_redis_url)] = SecretStr(
        "redis://localhost:6379/0"
    )
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

    backend: Annotated[Text, AfterValidator(_one_of(BACKENDS))] = "file"
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


SECTIONS: Final = ("llm", "prompt", "memory", "documents", "on_missing_doc", "runs", "server")
LATER: Final[Mapping[tuple[str, str], Callable[[Any], bool]]] = {
    ("memory", "default_scope"): lambda value: str(value).startswith("shared"),
    ("runs", "database_url"): lambda value: True,
    ("server", "rate_limit"): lambda value: True,
}
_MAX_TOLD: Final = 20
_CHOICE = re.compile(r"'([^']+)'")


def load_settings(root: Path, environ: Mapping[str, str]) -> Settings:
    """Read the configuration of `root`, the folder that holds `generated/`.

    The environment wins over `config/secrets.env`, that over `config/runtime.yaml`; an empty
    variable counts as unset. Raises SettingsError naming `file:line` or the variable.
    """
    config = read_config(root, CONFIG_FILE)
    given, warnings = _given(root, environ)
    overriding = overrides(given)
    data = {
        name: section
        for name, section in config.data.items()
        if section is not None and name in SECTIONS
    }
    for path, (value, _) in overriding.items():
        _put(data, path, value)

    def where(path: Sequence[str | int]) -> str:
        found = overriding.get(tuple(map(str, path)))
        return found[1] if found else f"{CONFIG_FILE}:{config.line(path)}"

    faults = [*_foreign(config.data, where), *_take_not_yet(data, where)]
    root = root.absolute()
    data |= {"root": root, "data_dir": root / _data_dir(data, where)}
    settings = _validated(data, where, faults)
    _check_provider(settings, where)
    _check_documents(settings, where)
    _check_connections(settings, where)
    update: dict[str, Any] = {"warnings": (*warnings, *_warnings(settings, given))}
    if settings.server.host != ServerSettings().host:
        update["host_from"] = where(("server", "host"))
    return settings.model_copy(update=update)


def _given(root: Path, environ: Mapping[str, str]) -> tuple[dict[str, Given], list[str]]:
    """The variables that are set, and a warning for each name that is none of ours."""
    text = read_text(root, SECRETS_FILE)
    secrets = parse_secrets(text, SECRETS_FILE) if text is not None else {}
    given, warnings = {}, []
    for name, secret in secrets.items():
        where = f"{SECRETS_FILE}:{secret.line}"
        if name in NAMES:
            given[name] = Given(secret.value.strip(), where)
        else:
            hint = _near(name, NAMES)
            warnings.append(
                f"{where}: {name} is no setting of this service" + (f"; {hint}" if hint else "")
            )
    given |= {name: Given(environ[name].strip(), name) for name in NAMES if environ.get(name)}
    return {name: value for name, value in given.items() if value.value}, warnings


def _data_dir(data: Mapping[str, Any], where: Where) -> str:
    folder = str(data.get("data_dir", ""))
    if not folder.isprintable():
        message = "the folder's name should hold printable characters only"
        raise SettingsError(message, where=where(("data_dir",)))
    return folder


def _put(data: dict[str, Any], path: Sequence[str], value: object) -> None:
    for name in path[:-1]:
        section = data.get(name) or {}
        if not isinstance(section, dict):
            return  # the validation says so
        data[name] = data = dict(section)
    data[path[-1]] = value


def _foreign(config: Mapping[str, Any], where: Where) -> Iterator[SettingsError]:
    """A configuration file has sections only: no keys, folders or log level at its top."""
    for name in config:
        if name in SECTIONS:
            continue
        if name in ("secrets", *Settings.model_fields):
            hint: str | None = f"set it in the environment or in {SECRETS_FILE}"
        else:
            hint = _near(name, SECTIONS)
        yield SettingsError(f"unknown key {_shown(name)}", where=where((name,)), hint=hint)


def _take_not_yet(data: dict[str, Any], where: Where) -> Iterator[SettingsError]:
    """What is not built yet, taken out of `data` so that it is told once."""
    for (section, key), is_later in LATER.items():
        values = data.get(section)
        if not isinstance(values, dict) or values.get(key) is None:
            continue
        if is_later(values[key]):
            data[section] = {name: each for name, each in values.items() if name != key}
            message = f"this value of {section}.{key} is not supported yet"
            yield SettingsError(message, where=where((section, key)))


def _validated(data: Mapping[str, Any], where: Where, faults: list[SettingsError]) -> Settings:
    """The settings. Raises SettingsError for `faults`, found before, and all others."""
    settings = None
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        # A misspelt key explains why the right one is missing.
        found.sort(key=lambda each: each["type"] != "extra_forbidden")
        faults = [*faults, *(_told(fault, data, where) for fault in found)]
    if settings is None or faults:
        raise SettingsError.of(faults[:_MAX_TOLD])
    return settings


def _told(fault: ErrorDetails, data: Mapping[str, Any], where: Where) -> SettingsError:
    path = fault["loc"]
    name = ".".join(map(str, path))
    if fault["type"] == "extra_forbidden":
        hint = _near(str(path[-1]), _keys_at(path[:-1]))
        return SettingsError(f"unknown key {_shown(name)}", where=where(path), hint=hint)
    message = f"{_shown(name)} {_plain(fault['type'], fault['msg'])}"
    hint = _near(str(_at(data, path)), _CHOICE.findall(fault["msg"]))
    return SettingsError(message, where=where(path), hint=hint)


def _plain(kind: str, said: str) -> str:
    if kind in ("model_type", "dict_type"):
        return "should be a mapping"
    if kind == "missing":
        return "is missing"
    if kind == "tuple_type":
        return "should be a list"
    said = said.removeprefix("Value error, ")
    return re.sub(r"^(Input|String|Value) ", "", said)


def _check_provider(settings: Settings, where: Where) -> None:
    path, provider = ("llm", "provider"), settings.provider
    if provider in KEYS and settings.key_of(provider) is None:
        hint = "a server of your own: openai-compatible" if provider == "openai" else None
        message = f"the provider {provider} needs {KEYS[provider]}"
        raise SettingsError(message, where=where(path), hint=hint)
    if provider == "openai-compatible" and settings.llm.base_url is None:
        message = "the provider openai-compatible needs llm.base_url or OPENAI_BASE_URL"
        raise SettingsError(message, where=where(path))


def _check_connections(settings: Settings, where: Where) -> None:
    redis = settings.memory.redis
    if redis.pool_size > redis.max_connections:
        message = (
            f"memory.redis.pool_size should be at most max_connections, {redis.max_connections}"
        )
        raise SettingsError(message, where=where(("memory", "redis", "pool_size")))


def _check_documents(settings: Settings, where: Where) -> None:
    """Documents can be written and deleted by clients: not where other things are kept."""
    path = ("documents", "dir")
    documents = _real(settings.documents_dir)
    taken = {
        "the generated folder": settings.root / "generated",
        "the configuration": settings.root / "config",
        "memory": settings.memory_dir,
    }
    for name, folder in taken.items():
        if documents.is_relative_to(_real(folder)):
            message = f"documents.dir should not be where {name} is"
            raise SettingsError(message, where=where(path))


def _real(folder: Path) -> Path:
    return Path(os.path.realpath(folder))


def _warnings(settings: Settings, given: Mapping[str, Given]) -> list[str]:
    """What was set and does nothing, so that nobody wonders why."""
    found = []
    if settings.llm.script is not None and settings.provider != "mock":
        found.append(f"llm.script: not used, the provider is {settings.provider}")
    if "REDIS_URL" in given and settings.memory.backend == "file":
        found.append(f"{given['REDIS_URL'].where}: not used, memory.backend is file")
    return found


def _at(data: object, path: Iterable[str | int]) -> object:
    for part in path:
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            return None
    return data


def _keys_at(path: Iterable[str | int]) -> Iterable[str]:
    model: Any = Settings
    for part in path:
        is_table = get_origin(model) is dict
        model = get_args(model)[1] if is_table else model.model_fields[part].annotation
    return SECTIONS if model is Settings else tuple(model.model_fields)


def _shown(name: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in name[:80])


def _near(name: str, known: Iterable[str]) -> str | None:
    """`did you mean …?` for a name that is almost one of those known."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]}?" if close else None
