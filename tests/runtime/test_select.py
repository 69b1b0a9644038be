"""What the settings choose, and what is imported for it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from pydantic import SecretStr

from scripts.runtime.errors import ModelError, SettingsError
from scripts.runtime.models.mock import MockLLM
from scripts.runtime.models.protocol import ModelReply, ModelRequest
from scripts.runtime.models.select import Models, make_model
from scripts.runtime.services import Services
from scripts.runtime.settings import LLMSettings, MemorySettings, Secrets, Settings
from scripts.runtime.stores.documents import FileDocuments
from scripts.runtime.stores.memory import FileMemory
from scripts.runtime.stores.select import make_documents, make_memory
from tests.process import clean_environment

SDKS = {"openai", "anthropic", "google.genai"}
ROOT = Path(__file__).parents[2]
CHOOSE = """
import sys
from pathlib import Path
{before}
from scripts.runtime.configuration import load_settings
from scripts.runtime.models.select import make_model
from scripts.runtime.stores.select import make_documents, make_memory
from scripts.runtime.errors import SettingsError

settings = load_settings(Path(sys.argv[1]), dict(entry.split("=", 1) for entry in sys.argv[2:]))
try:
    model = make_model(settings)
except SettingsError as error:
    print(error)
else:
    make_memory(settings), make_documents(settings)
    print(model.provider, model.name)
print(*sorted(name for name in sys.modules if name.count(".") == name.startswith("google.")))
"""


def choose(root: Path, *variables: str, before: str = "") -> tuple[str, set[str]]:
    """What a fresh process says of its model, and the packages that it imported."""
    command = [sys.executable, "-c", CHOOSE.format(before=before), str(root), *variables]
    done = subprocess.run(
        command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=True
    )
    said, modules = done.stdout.strip().split("\n")
    return said, set(modules.split())


def test_nothing_heavy_is_imported_unless_configured(tmp_path: Path) -> None:
    said, modules = choose(tmp_path)
    assert said == "mock mock"
    heavy = {*SDKS, "redis", "opentelemetry", "httpx", "httpx2", "tenacity"}
    assert modules & heavy == set()
    assert "pydantic" in modules


@pytest.mark.parametrize(
    ("variables", "says", "sdk"),
    [
        (["OPENAI_BASE_URL=http://127.0.0.1:9/v1", "LLM_MODEL=m"], "openai-compatible m", "openai"),
        (["OPENAI_API_KEY=k"], "openai gpt-5.4-mini", "openai"),
        (["ANTHROPIC_API_KEY=k"], "anthropic claude-sonnet-5-5", "anthropic"),
        (["GEMINI_API_KEY=k", "LLM_MODEL=google:m"], "google m", "google.genai"),
    ],
)
def test_only_the_sdk_that_is_chosen_is_imported(
    tmp_path: Path, variables: list[str], says: str, sdk: str
) -> None:
    said, modules = choose(tmp_path, *variables)
    assert said == says
    assert modules & SDKS == {sdk}


@pytest.mark.parametrize(
    ("variable", "module", "package", "extra"),
    [
        ("OPENAI_API_KEY", "openai", "openai", "openai"),
        ("ANTHROPIC_API_KEY", "anthropic", "anthropic", "anthropic"),
        ("GEMINI_API_KEY", "google.genai", "google-genai", "google"),
        ("GEMINI_API_KEY", "google", "google-genai", "google"),
    ],
)
def test_without_the_sdk_the_start_says_what_to_install(
    tmp_path: Path, variable: str, module: str, package: str, extra: str
) -> None:
    said, _ = choose(tmp_path, f"{variable}=k", before=f"sys.modules[{module!r}] = None")
    assert f"needs the package {package}" in said
    assert f"pip install -r generated/requirements-{extra}.txt" in said


@pytest.mark.parametrize("base_url", [None, "http://127.0.0.1:9/v1"])
def test_openai(base_url: str | None) -> None:
    settings = Settings(
        llm=LLMSettings(base_url=base_url), secrets=Secrets(openai_api_key=SecretStr("k"))
    )
    model = make_model(settings)
    assert model.provider == ("openai-compatible" if base_url else "openai")
    assert model.name == "gpt-5.4-mini"
    asyncio.run(model.close())


class Own:
    """A model of a user's own."""

    provider = "own"
    name = "m"
    structured = False

    def __init__(self, llm: LLMSettings) -> None:
        self.llm = llm
        self.closed = 0

    async def complete(self, request: ModelRequest) -> ModelReply:
        return ModelReply(f"own {request.model}")

    async def stream(self, request: ModelRequest) -> AsyncGenerator[str | ModelReply, None]:
        yield await self.complete(request)

    async def close(self) -> None:
        self.closed += 1


class Half:
    provider = "half"
    complete = stream = close = None

    def __init__(self, llm: LLMSettings) -> None: ...


class Numbered(Own):
    name = 5  # type: ignore[assignment]


class Attribute(Own):
    close = None  # type: ignore[assignment]


class Raising(Own):
    def __init__(self, llm: LLMSettings) -> None:
        raise ValueError("made-up-secret")


NO_CLASS = 5


def settings_of(provider: str, **keys: str) -> Settings:
    secrets = Secrets(**{f"{name}_api_key": SecretStr(key) for name, key in keys.items()})
    return Settings(llm=LLMSettings(provider=provider), secrets=secrets)


class TestOwnClass:
    def test_it_is_made_with_the_llm_settings(self) -> None:
        settings = settings_of(f"{__name__}:Own")
        model = make_model(settings)
        assert (type(model).__name__, model.provider) == ("Own", "own")
        assert getattr(model, "llm", None) is settings.llm

    @pytest.mark.parametrize(
        ("path", "says"),
        [
            ("no_such_module:Own", "no_such_module cannot be imported"),
            (f"{__name__}:Nothing", "has no Nothing"),
            (f"{__name__}:Half", "Half has no name, structured"),
            (f"{__name__}:Numbered", "name should be a text"),
            (f"{__name__}:Attribute", "close should be a method"),
            (f"{__name__}:Raising", "cannot be made with the llm settings: ValueError"),
            (f"{__name__}:NO_CLASS", "is no class"),
        ],
    )
    def test_what_is_no_model(self, path: str, says: str) -> None:
        with pytest.raises(SettingsError) as caught:
            make_model(settings_of(path))
        assert says in str(caught.value)
        assert caught.value.where == "llm.provider"
        assert "made-up-secret" not in str(caught.value)


def find(models: Models, reference: str | None) -> tuple[str, str, str | None]:
    model, name = models.find(reference)
    return model.provider, model.name, name


class TestModels:
    def test_references(self) -> None:
        settings = settings_of("openai", openai="k", anthropic="k", gemini="k")
        models = Models(settings, make_model(settings))
        default = models.default
        for reference, name in (
            (None, None),
            ("auto", None),
            ("gpt-x", "gpt-x"),
            ("ft:gpt-4o:org::id", "ft:gpt-4o:org::id"),
            ("openai:gpt-x", "gpt-x"),
            ("openai:auto", None),
        ):
            assert models.find(reference) == (default, name)
        assert find(models, "anthropic:c") == ("anthropic", "claude-sonnet-5-5", "c")
        assert find(models, "google:auto") == ("google", "gemini-3.8-flash", None)
        assert models.find("anthropic:c")[0] is models.find("anthropic:d")[0]
        asyncio.run(models.close())

    @pytest.mark.parametrize(
        ("reference", "says"),
        [
            ("antropic:c", "there is no provider 'antropic', did you mean 'anthropic'?"),
            ("nobody:c", "there is no provider 'nobody': there are openai, "),
            ("google:c", "the provider google, which needs GEMINI_API_KEY"),
            ("anthropic:", "'anthropic:' names no model"),
            ("mock:c", None),
        ],
    )
    def test_what_cannot_be_found(self, reference: str, says: str | None) -> None:
        settings = settings_of("openai", openai="k", anthropic="k")
        models = Models(settings, make_model(settings))
        if says is None:
            assert find(models, reference) == ("mock", "mock", "c")
        else:
            with pytest.raises(ModelError) as caught:
                models.find(reference)
            assert says in caught.value.message
            assert not caught.value.retryable
        asyncio.run(models.close())

    def test_names_with_colons_of_other_servers(self) -> None:
        llm = LLMSettings(provider="openai-compatible", base_url="http://127.0.0.1:9/v1")
        settings = Settings(llm=llm, secrets=Secrets(anthropic_api_key=SecretStr("k")))
        models = Models(settings, make_model(settings))
        assert models.find("llama3:8b") == (models.default, "llama3:8b")
        assert models.find("openai:llama3:8b") == (models.default, "llama3:8b")
        assert find(models, "anthropic:c")[0] == "anthropic"
        asyncio.run(models.close())

    def test_a_server_of_ones_own_beside_another_default(self) -> None:
        llm = LLMSettings(provider="anthropic", base_url="http://127.0.0.1:9/v1")
        settings = Settings(llm=llm, secrets=Secrets(anthropic_api_key=SecretStr("k")))
        models = Models(settings, make_model(settings))
        assert find(models, "openai:llama3:8b")[::2] == ("openai-compatible", "llama3:8b")
        asyncio.run(models.close())

    def test_the_mock_answers_for_everyone(self) -> None:
        models = Models(Settings(), MockLLM())
        for reference in ("openai:gpt-x", "nobody:x", "x"):
            assert models.find(reference) == (models.default, reference)

    def test_all_are_closed(self) -> None:
        settings = settings_of(f"{__name__}:Own", anthropic="k")
        own = make_model(settings)
        models = Models(settings, own)
        models.find("anthropic:c")
        asyncio.run(models.close())
        assert getattr(own, "closed", 0) == 1

    def test_services_hold_them(self) -> None:
        model = MockLLM()
        services = Services(model)
        assert services.models.find(None) == (model, None)
        asyncio.run(services.close())


def test_a_script_is_read_from_the_root(tmp_path: Path) -> None:
    settings = Settings(llm=LLMSettings(script="mock.yaml"), root=tmp_path)
    with pytest.raises(SettingsError, match=r"there is no file mock\.yaml"):
        make_model(settings)
    (tmp_path / "mock.yaml").write_text("answers:\n  ada:\n    txt: hi\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        make_model(settings)
    assert caught.value.where == "mock.yaml:3"
    (tmp_path / "mock.yaml").write_text("answers: {ada: hi}", encoding="utf-8")
    request = ModelRequest("", (), step="ada")
    assert asyncio.run(make_model(settings).complete(request)).text == "hi"


def test_stores_are_below_the_data_folder(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, memory=MemorySettings(durability="always"))
    memory, documents = make_memory(settings), make_documents(settings)
    assert isinstance(memory, FileMemory)
    assert isinstance(documents, FileDocuments)

    async def use() -> None:
        await memory.put("a:S-1", "k", 1)
        await documents.put("prd", "text")
        await memory.close()

    asyncio.run(use())
    assert (tmp_path / "memory" / "isolated" / "a_S-1.jsonl").exists()
    assert (tmp_path / "docs" / "prd.md").read_text() == "text"
