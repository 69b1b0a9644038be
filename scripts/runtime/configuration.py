"""Settings as they are read at the start: from `config/runtime.yaml`, `config/secrets.env` and the
environment. Nothing else reads the environment.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from .configfile import read_config, read_text
from .environment import NAMES, VARIABLES, Given, overrides
from .errors import SettingsError
from .near import near
from .secrets import parse_secrets
from .settings import KEYS, ServerSettings, Settings

CONFIG_FILE: Final = "config/runtime.yaml"
SECRETS_FILE: Final = "config/secrets.env"

Where = Callable[[Sequence[str | int]], str]

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
            hint = near(name, NAMES)
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
            hint = _elsewhere(name) or near(name, SECTIONS)
        yield SettingsError(f"unknown key {_shown(name)}", where=where((name,)), hint=hint)


def _take_not_yet(data: dict[str, Any], where: Where) -> Iterator[SettingsError]:
    """What is not built yet, taken out of `data` so that it is told once."""
    for (section, key), is_later in LATER.items():
        values = data.get(section)
        if not isinstance(values, dict) or values.get(key) is None:
            continue
        if is_later(values[key]):
            data[section] = {name: each for name, each in values.items() if name != key}
            message = f"{section}.{key} is not supported yet"
            if key == "default_scope":
                message = f"{section}.{key}: a shared one is not supported yet"
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
        raise SettingsError.of(sorted(faults, key=_line)[:_MAX_TOLD])
    return settings


def _line(fault: SettingsError) -> float:
    """Where it stands in the configuration file; what variables say comes behind it."""
    file, _, line = fault.where.rpartition(":")
    return int(line) if file == CONFIG_FILE else math.inf


def _told(fault: ErrorDetails, data: Mapping[str, Any], where: Where) -> SettingsError:
    path = fault["loc"]
    name = ".".join(map(str, path))
    if fault["type"] == "extra_forbidden":
        hint = _elsewhere(str(path[-1])) or near(str(path[-1]), _keys_at(path[:-1]))
        return SettingsError(f"unknown key {_shown(name)}", where=where(path), hint=hint)
    message = f"{_shown(name)} {_plain(fault['type'], fault['msg'])}"
    hint = near(str(_at(data, path)), _CHOICE.findall(fault["msg"]))
    return SettingsError(message, where=where(path), hint=hint)


def _elsewhere(key: str) -> str | None:
    """Where that belongs which has the name of a variable, or is a key of a provider."""
    place = next((each.path for each in VARIABLES if each.name == key.upper()), ())
    if place and place[0] in SECTIONS:
        return f"here it is {'.'.join(place)}"
    is_secret = key.casefold().endswith("api_key")
    return f"set it in the environment or in {SECRETS_FILE}" if place or is_secret else None


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
