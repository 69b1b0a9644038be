"""What the settings choose, and what is imported for it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from scripts.runtime.models.select import make_model
from scripts.runtime.settings import LLMSettings, MemorySettings, Secrets, Settings
from scripts.runtime.stores.documents import FileDocuments
from scripts.runtime.stores.memory import FileMemory
from scripts.runtime.stores.select import make_documents, make_memory
from tests.process import clean_environment

ROOT = Path(__file__).parents[2]
CHOOSE = """
import sys
from pathlib import Path
{before}
from scripts.runtime.settings import load_settings
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
print(*sorted(name for name in sys.modules if "." not in name))
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
    heavy = {"openai", "anthropic", "redis", "opentelemetry", "httpx", "httpx2", "tenacity"}
    assert modules & heavy == set()
    assert "pydantic" in modules


def test_the_sdk_is_imported_when_it_is_chosen(tmp_path: Path) -> None:
    said, modules = choose(tmp_path, "OPENAI_BASE_URL=http://127.0.0.1:9/v1", "LLM_MODEL=m")
    assert said == "openai-compatible m"
    assert "openai" in modules


def test_without_the_sdk_the_start_says_what_to_install(tmp_path: Path) -> None:
    said, _ = choose(tmp_path, "OPENAI_API_KEY=k", before="sys.modules['openai'] = None")
    assert "needs the package openai" in said
    assert "requirements-openai.txt" in said


@pytest.mark.parametrize("base_url", [None, "http://127.0.0.1:9/v1"])
def test_openai(base_url: str | None) -> None:
    settings = Settings(
        llm=LLMSettings(base_url=base_url), secrets=Secrets(openai_api_key=SecretStr("k"))
    )
    model = make_model(settings)
    assert model.provider == ("openai-compatible" if base_url else "openai")
    assert model.name == "gpt-5.4-mini"
    asyncio.run(model.close())


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
