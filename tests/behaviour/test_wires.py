"""Every kind of flow, over HTTP, through the real SDKs of three providers, against one stand-in."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from tests.wired import SCOUTS, Wired, answers, fixture

APPROVE = "All of it is fine.\n\nAction: approve"
REJECT = "The second part is too long.\n\nAction: reject"
CRITIC = {"systemMessage": "Review the stories."}
USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 7,
    "total_tokens": 37,
    "input_tokens": 30,
    "output_tokens": 7,
    "promptTokenCount": 30,
    "candidatesTokenCount": 7,
    "totalTokenCount": 37,
}


def both_ways(wired: Wired, flow: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The answer of a run that nobody follows, and the events of the same one when followed."""
    answer = wired.post(flow)
    assert answer.status_code == 200, answer.text
    events = replace(wired, story=f"{wired.story}-again").stream(flow)
    last = events[-1]["answer"]
    kept = ("status", "results", "skipped", "pending_gates")
    assert {key: last[key] for key in kept} == {key: answer.json()[key] for key in kept}
    assert last["usage"]["calls"] == answer.json()["usage"]["calls"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    return answer.json(), events


def types(events: list[dict[str, Any]]) -> Counter[str]:
    return Counter(event["type"] for event in events)


def test_the_sample(wired: Wired) -> None:
    approve = {"match": CRITIC, "response": {"content": APPROVE}}
    wired.aimock.load(answers(approve))
    answer, events = both_ways(wired, "default")
    assert answer["status"] == "success"
    assert answer["results"]["critic"] == "All of it is fine."
    assert len(answer["results"]) == types(events)["step.completed"] == 7
    assert types(events)["step.delta"] >= 7
    assert answer["usage"]["providers"] == [wired.provider]
    document = wired.service.client.get(f"/doc/{wired.story}__stories")
    assert document.text == "Some Markdown."


def test_a_loop_that_sends_back(wired: Wired) -> None:
    wired.aimock.load(
        answers(
            fixture("judge", REJECT, sequenceIndex=0),
            fixture("judge", APPROVE, sequenceIndex=1),
            fixture("drafter", {"content": "A draft.", "usage": USAGE}),
        )
    )
    answer = wired.post("loop").json()
    assert answer["status"] == "success", answer
    assert wired.asked() == ["drafter", "judge", "drafter", "judge", "publisher"]
    assert answer["usage"]["calls"] == 5
    assert answer["usage"]["input_tokens"] >= 60
    second = wired.aimock.journal()[2]["body"]["messages"][-1]["content"]
    assert "The second part is too long." in json.dumps(second)


def test_a_loop_without_end_ends(wired: Wired) -> None:
    wired.aimock.load(answers(fixture("judge", REJECT)))
    answer = wired.post("loop")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "max_visits_exceeded"
    assert wired.asked().count("drafter") == 3
    assert answer.json()["usage"]["calls"] == 6


def test_a_wide_fan_out(wired: Wired) -> None:
    wired.aimock.load(answers())
    answer, events = both_ways(wired, "fan")
    assert len(answer["results"]) == SCOUTS + 2
    starts = [n for n, event in enumerate(events) if event["type"] == "step.started"]
    first_done = next(
        n
        for n, event in enumerate(events)
        if event["type"] == "step.completed" and event["step"].startswith("scout")
    )
    assert sum(place < first_done for place in starts) >= 3  # the drafter, and several at once
    closer = wired.aimock.journal()[-1]["body"]["messages"][-1]["content"]
    assert json.dumps(closer).count("Some Markdown.") == SCOUTS


def test_a_list_and_its_items(wired: Wired) -> None:
    items = ["red", "green", "blue"]
    wired.aimock.load(
        answers(
            fixture("lister", json.dumps({"items": items})),
            *(fixture("worker", f"Painted {item}.", userMessage=item) for item in items),
        )
    )
    answer, events = both_ways(wired, "each")
    assert answer["results"]["lister"] == {"items": items}
    assert answer["results"]["worker"] == ["Painted red.", "Painted green.", "Painted blue."]
    numbers = [event["item"] for event in events if "item" in event and "output" in event]
    assert sorted(numbers) == [0, 1, 2]


def test_a_flow_in_a_flow(wired: Wired) -> None:
    wired.aimock.load(answers(fixture("publisher", "Published.")))
    answer, events = both_ways(wired, "nested")
    assert answer["results"]["inner"] == "Published."
    steps = [event["step"] for event in events if event["type"] == "step.completed"]
    assert steps == ["first", "inner.drafter", "inner.publisher", "inner", "closer"]
    assert answer["usage"]["calls"] == 4


def test_a_gate(wired: Wired) -> None:
    wired.aimock.load(answers())
    pending = wired.post("gated").json()
    assert pending["status"] == "pending"
    question = {"gate": "sign_off", "question": "May it be published?", "visit": 1}
    assert pending["pending_gates"] == [{**question, "actions": ["publish", "rework"]}]
    rework = {"gate": "sign_off", "action": "rework", "comment": "Shorter."}
    again = wired.post("gated", decision=rework).json()
    assert (again["status"], again["run_id"]) == ("pending", pending["run_id"])
    refused = wired.post("gated", decision={"gate": "sign_off", "action": "burn"})
    assert refused.status_code == 422
    done = wired.post("gated", decision={"gate": "sign_off", "action": "publish"}).json()
    assert (done["status"], done["run_id"]) == ("success", pending["run_id"])
    assert wired.asked() == ["drafter", "drafter", "publisher"]
    assert done["usage"]["calls"] == 3


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_answer_of_a_schema_is_repaired(wired: Wired, *, stream: bool) -> None:
    wired.aimock.load(
        answers(
            fixture("shaped", "I would rather not.", sequenceIndex=0),
            fixture("shaped", '{"value": ["a"]}', sequenceIndex=1),
            fixture("shaped", '["a"]'),
        )
    )
    answer = wired.stream("shaped")[-1]["answer"] if stream else wired.post("shaped").json()
    assert answer["status"] == "success", answer
    assert answer["results"]["shaped"] == ["a"]
