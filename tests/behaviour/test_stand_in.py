"""The model stand-in behaves as the tests that use it assume."""

from __future__ import annotations

from typing import Any

import httpx2

from tests.stand_in import StandIn


def _ask(aimock: StandIn, text: str) -> dict[str, Any]:
    base = aimock.environment["OPENAI_BASE_URL"]
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    answer = httpx2.post(f"{base}/chat/completions", json=body, trust_env=False)
    result: dict[str, Any] = answer.raise_for_status().json()
    return result


def test_default_answer_ends_with_an_action_and_reports_usage(aimock: StandIn) -> None:
    answer = _ask(aimock, "hello")
    assert answer["choices"][0]["message"]["content"].splitlines()[-1] == "Action: approve"
    assert answer["usage"] == {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16}


def test_journal_holds_what_was_sent_since_the_fixtures_were_loaded(aimock: StandIn) -> None:
    _ask(aimock, "before")
    aimock.load([{"match": {"userMessage": "b"}, "response": {"content": "second"}}])
    assert _ask(aimock, "b")["choices"][0]["message"]["content"] == "second"
    assert [entry["body"]["messages"][0]["content"] for entry in aimock.journal()] == ["b"]
