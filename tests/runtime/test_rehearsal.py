"""A script for the mock is held against the project before the service starts."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from scripts.runtime.api.app import create_app
from scripts.runtime.api.service import Service
from scripts.runtime.errors import SettingsError
from scripts.runtime.flow import AnyFlow, Flow
from scripts.runtime.settings import Settings
from scripts.runtime.subflow import Subflow
from scripts.runtime.welcome import report

from .agents import agent, chain
from .api import write_tree

Analyst = agent("analyst")
Reviewer = agent("reviewer", actions=("approve", "revise"))
SCRIPT = "config/mock.yaml"


def inner() -> AnyFlow:
    return chain(Reviewer(id="review", actions=("publish", "Hold")))


def outer() -> AnyFlow:
    return chain(Analyst(), Subflow("story", inner), Reviewer())


def service(root: Path, script: str) -> Service:
    (root / "config").mkdir()
    (root / SCRIPT).write_text(script)
    chosen = {"llm": {"provider": "mock", "script": SCRIPT}, "log_level": "critical"}
    settings = Settings.model_validate({"root": root, "data_dir": root, **chosen})
    flows = {"outer": Flow("outer", outer)}
    app = create_app(
        write_tree(root), agents=(Analyst, Reviewer), flows=flows, tools=(), settings=settings
    )
    made: Service = app.state.service
    return made


@pytest.mark.parametrize(
    "answers",
    [
        "analyst: text",
        "review: {action: publish}",
        "story.review: {action: hold}",
        "story.2.review: {action: publish}",
        "reviewer: [{action: revise}, {action: hold}, {action: null}, text]",
        "'*': {action: approve}",
    ],
)
def test_what_there_is_may_be_named(tmp_path: Path, answers: str) -> None:
    service(tmp_path, f"answers: {{{answers}}}").open()


@pytest.mark.parametrize(
    ("script", "line", "says"),
    [
        ("answers:\n  analyst: a\n  reviwer: b", 3, "no step 'reviwer' (did you mean reviewer?)"),
        ("answers:\n  stori.review: b", 2, "did you mean story.review?"),
        (
            "answers:\n  review:\n    - text: x\n    - action: pubish",
            4,
            "review has no action 'pubish' (did you mean publish?)",
        ),
        (
            "answers:\n  story.review: {action: approve}",
            2,
            "no action 'approve' (known are Hold, publish)",
        ),
        ("answers:\n  analyst: {action: approve}", 2, "(it decides nothing)"),
        ("answers:\n  '*': {action: x}", 2, "nobody has the action 'x'"),
    ],
)
def test_what_there_is_not_stops_the_start(
    tmp_path: Path, script: str, line: int, says: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        service(tmp_path, script).open()
    assert caught.value.message.startswith(f"{SCRIPT}:{line}: ")
    assert says in caught.value.message


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        service(tmp_path, "answers:\n  nobody: x\n  review: {action: x}").open()
    assert [line.split(" ")[0] for line in caught.value.message.splitlines()] == [
        f"{SCRIPT}:2:",
        f"{SCRIPT}:3:",
    ]


def test_the_start_names_the_script(tmp_path: Path) -> None:
    made = service(tmp_path, "answers: {analyst: text}")
    made.open()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        told = report(made, listener)
    assert f"model     offline mock (llm.provider says so, {SCRIPT} is played)" in told
