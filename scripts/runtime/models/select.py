"""The model that the settings ask for; an SDK is imported only when it is chosen."""

from __future__ import annotations

from ..errors import SettingsError
from ..settings import Settings
from .mock import MockLLM
from .protocol import Model


def make_model(settings: Settings) -> Model:
    """The mock, or an adapter over the provider's SDK. Raises SettingsError without the SDK."""
    provider = settings.provider
    if provider == "mock":
        return MockLLM()
    if provider not in ("openai", "openai-compatible"):
        raise SettingsError(f"provider {provider} is not supported yet", where="llm.provider")
    try:
        from .openai import OpenAIModel  # importing the adapter imports the SDK
    except ModuleNotFoundError as error:
        if error.name not in ("openai", "httpx2"):
            raise
        message = f"the provider {provider} needs the package openai"
        hint = "pip install -r requirements-openai.txt"
        raise SettingsError(message, where="llm.provider", hint=hint) from None
    return OpenAIModel.from_settings(settings)
