"""The models that the settings and the agents name; an SDK is imported only when it is needed."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Final

from ..configfile import read_text
from ..errors import ModelError, SettingsError
from ..ownclass import Shape, check_own, make_own
from ..settings import KEYS, PROVIDERS, Settings
from .mock import MockLLM
from .protocol import Model
from .script import parse_script

MODEL: Final = Shape(
    texts=("provider", "name"),
    methods=("complete", "stream", "close"),
    others=("structured",),
    hint="runtime/models/protocol.py says what a model is",
)
_WHERE: Final = "llm.provider"
_PACKAGES: Final = {
    "openai": "openai",
    "openai-compatible": "openai",
    "anthropic": "anthropic",
    "google": "google-genai",
}
_SDK_MODULES: Final = ("openai", "anthropic", "google", "google.genai", "httpx2")
_FAMILY: Final = ("openai", "openai-compatible")  # one adapter, at one address


class Models:
    """The default model, and those of other providers that agents ask for by name.

    An adapter is opened when it is first asked for, once, and closed with all others.
    """

    __slots__ = ("_opened", "_settings", "default")

    def __init__(self, settings: Settings, default: Model) -> None:
        self.default = default
        self._settings = settings
        self._opened: dict[str, Model] = {}

    def find(self, reference: str | None) -> tuple[Model, str | None]:
        """The model behind `provider:model`, a model's name or None, and what to ask it for.

        The name is None for the provider's default. Where the mock is the default it answers
        for everyone. Raises ModelError for a provider that is unknown or not set up.
        """
        if reference is None or reference == "auto":
            return self.default, None
        prefix, colon, rest = reference.partition(":")
        if self._settings.provider == "mock":
            return self.default, reference
        if prefix in PROVIDERS and colon:
            if not rest:
                raise self._fault(f"{reference!r} names no model")
            return self._of(prefix), None if rest == "auto" else rest
        if colon and not self._may_hold_colons(prefix):
            raise self._fault(f"there is no provider {prefix!r}{_near(prefix)}")
        return self.default, reference

    async def close(self) -> None:
        """Give back all connections."""
        for model in (self.default, *self._opened.values()):
            await model.close()
        self._opened.clear()

    def _of(self, provider: str) -> Model:
        default = self._settings.provider
        if provider == default or {provider, default} <= set(_FAMILY):
            return self.default
        name = "openai" if provider in _FAMILY else provider
        if name not in self._opened:
            try:
                self._opened[name] = self._open(provider)
            except SettingsError as error:
                raise self._fault(error.message) from None
        return self._opened[name]

    def _open(self, provider: str) -> Model:
        settings = self._settings
        if provider in _FAMILY:
            provider = "openai-compatible" if settings.llm.base_url else "openai"
        if provider in KEYS and settings.key_of(provider) is None:
            message = f"an agent asks for the provider {provider}, which needs {KEYS[provider]}"
            raise SettingsError(message, where=_WHERE)
        return open_model(settings, provider)

    def _may_hold_colons(self, prefix: str) -> bool:
        """`llama3:8b` is a name for many servers, `ft:…` for OpenAI."""
        provider = self._settings.provider
        if provider == "openai":
            return prefix == "ft"
        return provider not in ("anthropic", "google")

    def _fault(self, message: str) -> ModelError:
        return ModelError(message, provider=self.default.provider)


def make_model(settings: Settings) -> Model:
    """The default model. Raises SettingsError without its SDK or for a class that is no model."""
    return open_model(settings, settings.provider, settings.llm.model)


def open_model(settings: Settings, provider: str, model: str = "auto") -> Model:
    """A provider's adapter, the mock, or an object of the user's own class."""
    if provider == "mock":
        return _mock(settings)
    if provider not in PROVIDERS:
        return _custom(settings, provider)
    try:
        make = _maker(provider)  # importing the adapter imports the SDK
    except ModuleNotFoundError as error:
        if error.name not in _SDK_MODULES:
            raise
        message = f"the provider {provider} needs the package {_PACKAGES[provider]}"
        extra = "openai" if provider in _FAMILY else provider
        hint = f"pip install -r generated/requirements-{extra}.txt"
        raise SettingsError(message, where=_WHERE, hint=hint) from None
    return make(settings, provider, _own_name(model, provider))


def _maker(provider: str) -> Callable[[Settings, str, str | None], Model]:
    if provider == "anthropic":
        from .anthropic import make_anthropic

        return make_anthropic
    if provider == "google":
        from .google import make_google

        return make_google
    from .openai import make_openai

    return make_openai


def _own_name(model: str, provider: str) -> str | None:
    """The model's name without its provider, None for `auto`."""
    if model == "auto":
        return None
    prefix, _, rest = model.partition(":")
    if not rest or prefix not in PROVIDERS:
        return model
    if prefix != provider and not {prefix, provider} <= set(_FAMILY):
        message = f"{model} is not a model of the provider {provider}"
        raise SettingsError(message, where="llm.model")
    return rest


def _mock(settings: Settings) -> MockLLM:
    name = settings.llm.script
    if name is None:
        return MockLLM()
    text = read_text(settings.root, name)
    if text is None:
        raise SettingsError(f"there is no file {name}", where="llm.script")
    return MockLLM(script=parse_script(text, name))


def _custom(settings: Settings, path: str) -> Model:
    """An object of `package.module:Class`, made with the `llm` settings."""
    made = make_own(path, settings.llm, where=_WHERE)
    check_own(made, path, MODEL, where=_WHERE)
    model: Model = made
    return model


def _near(name: str) -> str:
    close = difflib.get_close_matches(name, PROVIDERS, n=1)
    return f", did you mean {close[0]!r}?" if close else f": there are {', '.join(PROVIDERS)}"
