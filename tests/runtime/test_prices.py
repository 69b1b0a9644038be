"""What answers cost: the list, the settings' own prices, and what nobody knows."""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.runtime.logs import ROOT as OURS
from scripts.runtime.models.protocol import Usage
from scripts.runtime.prices import Prices, added, dollars, exact

ROOT = Path(__file__).parents[2]
MILLION = 1_000_000


@dataclass(frozen=True)
class Own:
    input: float
    output: float
    cached: float | None = None


def cost(prices: Prices, provider: str, *models: str, usage: Usage | None = None) -> Decimal | None:
    return prices.cost(provider, models, usage or Usage(MILLION))


@pytest.mark.parametrize(
    "provider, model",
    [
        ("openai", "gpt-5"),
        ("openai", "openai:gpt-5"),
        ("openai", "gpt-5-2025-08-07"),
        ("anthropic", "claude-sonnet-4-5"),
        ("google", "gemini-2.5-pro"),
        ("google", "models/gemini-2.5-pro"),
    ],
)
def test_the_list_knows_the_models_of_the_providers(provider: str, model: str) -> None:
    found = Prices().cost(provider, (model,), Usage(1000, 1000))
    assert found is not None
    assert 0 < found < 1


def test_cached_tokens_cost_less_and_tokens_add_up() -> None:
    prices = Prices()
    whole = prices.cost("openai", ("gpt-5",), Usage(1000, 0))
    cached = prices.cost("openai", ("gpt-5",), Usage(1000, 0, 1000))
    half = prices.cost("openai", ("gpt-5",), Usage(1000, 0, 500))
    assert whole is not None
    assert cached is not None
    assert 0 < cached < whole
    assert half == (whole + cached) / 2


def test_more_cached_tokens_than_tokens_are_no_fault() -> None:
    prices = Prices()
    assert prices.cost("openai", ("gpt-5",), Usage(10, 0, 99)) == prices.cost(
        "openai", ("gpt-5",), Usage(10, 0, 10)
    )


@pytest.mark.parametrize(
    "provider, model",
    [
        ("openai", "gpt-nobody-has-heard-of"),
        ("openai", ""),
        ("acme", "gpt-5"),
        ("my-openai-proxy", "gpt-5"),
        ("openai-compatible", "gpt-5"),
    ],
)
def test_what_is_not_known_costs_none_and_never_nothing(provider: str, model: str) -> None:
    assert cost(Prices(), provider, model) is None


def test_a_server_is_looked_up_by_its_address_not_by_its_models_names() -> None:
    home = Prices(base_url="http://localhost:11434/v1")
    assert cost(home, "openai-compatible", "gpt-5") is None
    known = Prices(base_url="https://api.groq.com/openai/v1")
    assert cost(known, "openai-compatible", "llama-3.3-70b-versatile") is not None


def test_the_settings_prices_win() -> None:
    prices = Prices({"gpt-5": Own(2, 8, 0.5), "acme:small": Own(0.1, 0.2)})
    usage = Usage(3 * MILLION, MILLION, 2 * MILLION)
    assert cost(prices, "openai", "gpt-5", usage=usage) == Decimal(11)
    assert cost(prices, "openai", "openai:gpt-5", usage=usage) == Decimal(11)
    assert cost(prices, "acme", "small", usage=usage) == Decimal("0.5")
    assert cost(prices, "other", "small", usage=usage) is None


def test_a_model_may_go_by_the_name_that_was_asked_for() -> None:
    prices = Prices({"fast": Own(1, 1)})
    assert cost(prices, "acme", "fast-2026-01-01", "fast") == 1
    assert cost(Prices(), "openai", "an-alias-of-theirs", "gpt-5") == cost(
        Prices(), "openai", "gpt-5"
    )


def test_the_mock_is_free_unless_it_is_given_a_price() -> None:
    assert cost(Prices(), "mock", "mock") == 0
    assert cost(Prices({"mock": Own(3, 9)}), "mock", "mock") == 3


def test_an_unknown_price_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    prices = Prices()
    with caplog.at_level(logging.WARNING, logger=OURS):
        for _ in range(3):
            cost(prices, "openai", "an-alias", "nothing-known")
        cost(prices, "openai", "an-alias", "gpt-5")
    facts = [record.__dict__["facts"] for record in caplog.records]
    assert facts == [{"provider": "openai", "model": "an-alias"}]


TOKENS = st.integers(0, 10**9)
PRICE = st.decimals(0, 1000, places=4).map(float)


@given(TOKENS, TOKENS, TOKENS, PRICE, PRICE, st.none() | PRICE)
def test_own_prices_are_exact(
    read: int, written: int, cached: int, input: float, output: float, rate: float | None
) -> None:
    found = Prices({"m": Own(input, output, rate)}).cost("p", ("m",), Usage(read, written, cached))
    kept = min(cached, read)
    expected = (read - kept) * exact(input) + written * exact(output)
    expected += kept * exact(input if rate is None else rate)
    assert found is not None
    assert found * MILLION == expected


def test_sums_are_known_when_all_parts_are() -> None:
    assert added(exact(0.1), exact(0.2)) == exact(0.3)
    assert added(None, exact(0.2)) is None
    assert added(exact(0.2), None) is None


def test_people_see_billionths() -> None:
    assert dollars(Decimal("0.000000075")) == 0.000000075
    assert dollars(Decimal("0.12345678949")) == 0.123456789
    assert dollars(None) is None


def run(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_list_is_read_only_when_it_is_needed_and_without_a_network() -> None:
    run(
        """
import socket, sys
from scripts.runtime.models.protocol import Usage
from scripts.runtime.prices import Prices

def refuse(*args, **options):
    raise AssertionError("no network")

socket.socket.connect = socket.getaddrinfo = refuse
prices = Prices()
assert prices.cost("mock", ("mock",), Usage(1)) == 0
assert "genai_prices" not in sys.modules
prices.load()
assert "genai_prices" in sys.modules
assert prices.cost("openai", ("gpt-5",), Usage(1))
"""
    )


def test_a_service_reads_it_when_it_starts_unless_only_the_mock_answers(tmp_path: Path) -> None:
    run(
        f"""
import sys
from pathlib import Path
from scripts.runtime.api.service import Service
from scripts.runtime.settings import Settings
from tests.runtime.api import write_tree

tree = write_tree(Path({str(tmp_path)!r}))
for provider, is_read in (("mock", False), ("openai", True)):
    facts = {{"llm": {{"provider": provider}}, "secrets": {{"openai_api_key": "k"}}}}
    folders = {{"root": tree.parent, "data_dir": tree.parent}}
    service = Service(tree, Settings.model_validate({{**facts, **folders}}), (), {{}}, ())
    service.open()
    assert ("genai_prices" in sys.modules) is is_read, provider
"""
    )


def test_without_the_package_prices_are_not_known() -> None:
    run(
        """
import sys
sys.modules["genai_prices"] = None
from scripts.runtime.models.protocol import Usage
from scripts.runtime.prices import Prices

prices = Prices()
prices.load()
assert prices.cost("openai", ("gpt-5",), Usage(1)) is None
"""
    )
