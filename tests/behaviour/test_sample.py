"""The sample project: its flow goes round as its prompts say, its tool finds what it promises."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import StartService
from tests.project import ROOT, Project
from tests.stand_in import StandIn

GOOD = """\
# Stories

## 1. See the list

As a flatmate, I want to see the list, so that I buy what is missing.

Acceptance criteria:
- Given three items, when I open the list, then I see all three.
- Given no network, when I open the list, then I see the last state and its time.

Size: S
"""


@pytest.fixture(scope="module")
def stories() -> ModuleType:
    """The sample's tool, as the generated service imports it: by its file."""
    spec = importlib.util.spec_from_file_location("stories", ROOT / "bmad/tools/stories.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rules(stories: ModuleType, text: str) -> list[str]:
    findings: list[dict[str, Any]] = stories.check_stories(text)["findings"]
    return [finding["rule"] for finding in findings]


def test_good_story_has_no_findings(stories: ModuleType) -> None:
    assert stories.check_stories(GOOD) == {"stories": 1, "findings": []}


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("so that I buy what is missing", "please", "sentence"),
        ("As a flatmate, ", "", "sentence"),
        ("I want to see the list,", "I want to see and sort and share the list,", "sentence"),
        ("- Given three items, when I open the list, then I see all three.\n", "", "criteria"),
        ("then I see all three", "then it opens quickly", "criteria"),
        ("Acceptance criteria:", "Notes:", "criteria"),
        ("Size: S", "", "size"),
        ("Size: S", "Size: XL", "size"),
        ("Size: S", "Size: S\n\n" + GOOD.replace("## 1.", "## 2."), "title"),
        (GOOD, "Nothing here.", "stories"),
    ],
)
def test_each_fault_is_one_finding(stories: ModuleType, old: str, new: str, rule: str) -> None:
    assert old in GOOD
    assert rules(stories, GOOD.replace(old, new)) == [rule]


def test_too_many_criteria(stories: ModuleType) -> None:
    item = "- Given no network, when I open the list, then I see the last state and its time.\n"
    assert rules(stories, GOOD.replace(item, item * 6)) == ["criteria"]


@pytest.mark.parametrize("text", ["as a x i want y " * 5000, "- " * 20_000, "\n" * 50_000])
def test_hostile_text_is_answered(stories: ModuleType, text: str) -> None:
    """A model may be led to write anything; reading it must not take for ever."""
    assert stories.check_stories(f"## x\n{text}")["stories"] == 1


WRITER, CRITIC = "Write the user stories for the first release", "Review the stories."
DRAFT = GOOD.replace("Size: S", "Size: XL")
CALL = {"name": "check_stories", "arguments": {"text": DRAFT}}


def test_critic_sends_back_and_writer_uses_its_tool(
    tmp_path: Path, service: StartService, aimock: StandIn
) -> None:
    shutil.copytree(ROOT / "bmad", tmp_path / "bmad")
    Project(tmp_path).generate()
    aimock.load(
        [
            answer(WRITER, "First draft.", hasToolResult=True, sequenceIndex=0),
            answer(WRITER, "Second draft.", hasToolResult=True, sequenceIndex=1),
            {"match": {"systemMessage": WRITER}, "response": {"toolCalls": [CALL]}},
            answer(CRITIC, "Story 1 is too large.\n\nAction: revise", sequenceIndex=0),
            answer(CRITIC, "It is small enough now.\n\nAction: approve", sequenceIndex=1),
            {"match": {}, "response": {"content": "Some Markdown."}},
        ]
    )

    done = service(tmp_path, aimock.environment).run("A shared shopping list").json()

    assert done["status"] == "success", done
    assert done["results"]["story-writer"] == "Second draft."
    assert done["results"]["critic"] == "It is small enough now."
    assert (tmp_path / "docs/S-1__stories.md").read_text("utf-8") == "Second draft."
    first, mended, second, _ = asked(aimock, WRITER)
    assert "size XL is too large" in mended[-1]["content"]
    assert "Story 1 is too large." not in first[1]["content"]
    assert "Story 1 is too large." in second[1]["content"]
    assert "First draft." in second[1]["content"]


def answer(system: str, content: str, **match: object) -> dict[str, Any]:
    """A fixture: this content for a prompt that holds `system`."""
    return {"match": {"systemMessage": system, **match}, "response": {"content": content}}


def asked(aimock: StandIn, system: str) -> list[list[dict[str, Any]]]:
    """The messages of each call whose prompt holds `system`."""
    conversations = [entry["body"]["messages"] for entry in aimock.journal()]
    return [messages for messages in conversations if system in messages[0]["content"]]
