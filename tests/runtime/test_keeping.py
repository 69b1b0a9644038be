"""Names of documents that would be too long: refused before a model is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.runtime.flow import AnyFlow, Flow
from scripts.runtime.subflow import Subflow

from .agents import Scripted, agent, chain
from .api import application, serve

LONG = "s" * 64
Step = agent(LONG)
Maker = agent("maker", creates="d" * 120)
Reader = agent("reader", wait_for_docs=("d" * 150,))
Lister = agent("lister", output={"type": "object", "required": ["words"]})
Each = agent("each", for_each=("lister", "words"))


def nested() -> AnyFlow:
    return chain(Subflow("o" * 64, lambda: chain(Step())))


def looped() -> AnyFlow:
    inner = Subflow("f", lambda: chain(Maker()), for_each=("lister", "words"), max_items=50)
    return chain(Lister(), inner)


def listed() -> AnyFlow:
    return chain(Lister(), Step(for_each=("lister", "words")))


@pytest.mark.parametrize(
    ("build", "saved", "room"),
    [
        (lambda: chain(Step()), "all", 100),
        (nested, "all", 198 - 129),
        (nested, "created", 100),
        (lambda: chain(Maker()), "created", 198 - 120),
        (lambda: chain(Maker()), "none", 100),
        (lambda: chain(Reader()), "none", 198 - 150),
        (looped, "all", 198 - 120 - len("__50")),
        (listed, "all", 100),
    ],
)
def test_a_story_has_as_much_room_as_the_names_leave(
    tmp_path: Path, build: Callable[[], Any], saved: str, room: int
) -> None:
    model = Scripted({"lister": '{"words": ["x"]}'})
    settings = {"documents": {"save_outputs": saved}, "on_missing_doc": "skip"}
    flows = {"one": Flow("one", build)}
    app = application(tmp_path, model=model, settings=settings, flows=flows)
    with serve(app) as served:
        fits = served.run(story_id="S" * room)
        asked = len(model.asked)
        refused = served.run(story_id="S" * (room + 1))
    assert fits.status_code == 200, fits.text
    assert asked
    assert refused.status_code == 422
    assert len(model.asked) == asked
    said = refused.json()
    assert said["code"] == "invalid_name"
    assert f"story_id has at most {room}" in said["detail"]


def test_documents_that_come_along_are_measured_too(tmp_path: Path) -> None:
    model = Scripted()
    with serve(application(tmp_path, model=model)) as served:
        refused = served.run(story_id="S" * 100, documents={"d" * 99: "text"})
        fits = served.run(story_id="S" * 100, documents={"d" * 98: "text"})
    assert refused.status_code == 422
    assert "story_id has at most 99" in refused.json()["detail"]
    assert fits.status_code == 200


def test_an_agent_alone_is_measured_too(tmp_path: Path) -> None:
    with serve(application(tmp_path, model=Scripted(), agents=(Maker,))) as served:
        body = {"input": "an idea", "story_id": "S" * 79}
        answer = served.client.post("/agent/maker/run", json=body)
    assert answer.status_code == 422
    assert "story_id has at most 78" in answer.json()["detail"]
