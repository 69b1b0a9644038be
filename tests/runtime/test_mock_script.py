"""A rehearsal: what the mock answers from a script, and what a script must not hold."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.runtime.errors import ModelError, ModelTimeout, RateLimitError, SettingsError
from scripts.runtime.models.mock import MockLLM
from scripts.runtime.models.protocol import Message, ModelReply, ModelRequest, Usage
from scripts.runtime.models.script import parse_script

ROOT = Path(__file__).parents[2]
REQUEST = ModelRequest("You review.", (Message("user", "the story"),), step="review", run="r-1")
PATH = "config/mock.yaml"


def mock(text: str) -> MockLLM:
    return MockLLM(script=parse_script(text, PATH))


def answers(text: str, *requests: ModelRequest) -> list[str]:
    async def run() -> list[str]:
        model = mock(text)
        return [(await model.complete(request)).text for request in requests]

    return asyncio.run(run())


def streamed(text: str, request: ModelRequest = REQUEST) -> list[str | ModelReply]:
    async def run() -> list[str | ModelReply]:
        return [part async for part in mock(text).stream(request)]

    return asyncio.run(run())


def by_visit(*visits: int, **more: Any) -> list[ModelRequest]:
    return [REQUEST._replace(visit=visit, **more) for visit in visits]


class TestAnswers:
    @pytest.mark.parametrize(
        ("ids", "expected"),
        [
            ({"step": "review"}, "by step"),
            ({"step": "publish.review"}, "by step"),
            ({"step": "publish.sign"}, "by whole name"),
            ({"step": "again", "agent": "critic"}, "by agent"),
            ({"step": "other", "agent": "other"}, "by nobody"),
        ],
    )
    def test_who_gets_which(self, ids: dict[str, str], expected: str) -> None:
        text = """
        answers:
          review: by step
          critic: by agent
          sign: by name
          publish.sign: by whole name
          "*": by nobody
        """
        assert answers(text, REQUEST._replace(**ids)) == [expected]

    def test_one_a_visit_the_last_again_and_again(self) -> None:
        text = "answers: {review: [one, two]}"
        assert answers(text, *by_visit(1, 2, 3, 1)) == ["one", "two", "two", "one"]

    def test_visits_are_counted_where_nobody_says_them(self) -> None:
        text = "answers: {review: [one, two, three]}"
        others = [REQUEST, REQUEST._replace(run="r-2"), REQUEST]
        assert answers(text, *others) == ["one", "one", "two"]

    def test_a_conversation_that_goes_on_is_the_same_visit(self) -> None:
        asked = (*REQUEST.messages, Message("assistant", "x"), Message("user", "Decide."))
        again = REQUEST._replace(messages=asked)
        assert answers("answers: {review: [one, two]}", REQUEST, again, REQUEST) == [
            "one",
            "one",
            "two",
        ]

    def test_who_is_not_named_gets_the_built_answer(self) -> None:
        for text in ("", "answers: {}", "answers: {other: x}", "answers: {review: {delay: 0}}"):
            assert "Written by the mock model" in answers(text, REQUEST)[0]

    def test_numbers_and_words_are_texts(self) -> None:
        assert answers("answers: {review: [1.50, yes, true]}", *by_visit(1, 2, 3)) == [
            "1.50",
            "yes",
            "true",
        ]

    def test_output(self) -> None:
        found = answers("answers: {review: {output: {stories: [a, é]}}}", REQUEST)[0]
        assert json.loads(found) == {"stories": ["a", "é"]}
        assert "é" in found

    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            ("{text: Fine., action: reject}", "Fine.\n\nAction: reject"),
            ("Fine.", "Fine.\n\nAction: approve"),
            ('"Fine.\\n\\nAction: reject"', "Fine.\n\nAction: reject"),
            ("{text: Fine., action: null}", "Fine."),
        ],
    )
    def test_actions(self, answer: str, expected: str) -> None:
        request = REQUEST._replace(actions=("approve", "reject"))
        assert answers(f"answers: {{review: {answer}}}", request) == [expected]

    def test_action_of_a_built_answer(self) -> None:
        request = REQUEST._replace(actions=("approve", "reject"))
        found = answers("answers: {review: {action: reject}}", request)[0]
        assert re.findall("Action: .*", found) == ["Action: reject"]

    def test_usage(self) -> None:
        text = "answers: {review: {text: x, usage: {input: 7, output: 2, cached: 1}}}"
        assert asyncio.run(mock(text).complete(REQUEST)).usage == Usage(7, 2, 1)

    def test_defaults_hold_for_everyone_else(self) -> None:
        text = """
        defaults: {usage: {input: 7}}
        answers: {review: [x, {text: y, usage: {input: 1}}]}
        """

        async def run() -> list[int]:
            model = mock(text)
            requests = (*by_visit(1, 2), REQUEST._replace(step="other"))
            return [(await model.complete(request)).usage.input_tokens for request in requests]

        assert asyncio.run(run()) == [7, 1, 7]


class TestTools:
    TEXT = "answers: {review: {tool: {name: find, arguments: {q: x}}, text: done}}"

    def test_the_call_comes_before_the_answer(self) -> None:
        async def run() -> tuple[ModelReply, ModelReply]:
            model = mock(self.TEXT)
            first = await model.complete(REQUEST)
            said = Message("assistant", "", first.tool_calls)
            result = Message("tool", "found", (), first.tool_calls[0].id)
            again = REQUEST._replace(messages=(*REQUEST.messages, said, result))
            return first, await model.complete(again)

        first, last = asyncio.run(run())
        assert (first.text, first.finish_reason) == ("", "tool_calls")
        assert first.tool_calls[0].name == "find"
        assert json.loads(first.tool_calls[0].arguments) == {"q": "x"}
        assert (last.text, last.tool_calls) == ("done", ())

    def test_several_at_once(self) -> None:
        text = "answers: {review: {tool: [{name: a}, {name: b, arguments: {}}]}}"
        reply = asyncio.run(mock(text).complete(REQUEST))
        assert [(call.name, call.arguments) for call in reply.tool_calls] == [
            ("a", "{}"),
            ("b", "{}"),
        ]
        assert len({call.id for call in reply.tool_calls}) == 2


class TestFailures:
    @pytest.mark.parametrize(
        ("error", "kind", "is_retryable"),
        [
            ("rate_limit", RateLimitError, True),
            ("server", ModelError, True),
            ("timeout", ModelTimeout, True),
            ("refused", ModelError, False),
        ],
    )
    def test_kinds(self, error: str, kind: type[ModelError], *, is_retryable: bool) -> None:
        text = f"answers: {{review: {{error: {error}, text: done}}}}"

        async def run() -> str:
            model = mock(text)
            with pytest.raises(kind) as caught:
                await model.complete(REQUEST)
            assert caught.value.retryable is is_retryable
            assert caught.value.provider == "mock"
            return (await model.complete(REQUEST)).text

        assert asyncio.run(run()) == "done"

    def test_how_often_and_how_long(self) -> None:
        text = "answers: {review: {error: rate_limit, times: 2, retry_after: 0.5, text: done}}"

        async def run() -> list[float | str | None]:
            model, found = mock(text), []
            for request in by_visit(1, 1, 1, 2):
                try:
                    found.append((await model.complete(request)).text)
                except RateLimitError as error:
                    found.append(error.retry_after)
            return found

        assert asyncio.run(run()) == [0.5, 0.5, "done", 0.5]

    def test_a_failure_does_not_end_the_visit(self) -> None:
        text = "answers: {review: [{error: server, text: one}, two]}"

        async def run() -> list[str]:
            model = mock(text)
            with pytest.raises(ModelError):
                await model.complete(REQUEST)
            return [(await model.complete(REQUEST)).text for _ in range(2)]

        assert asyncio.run(run()) == ["one", "two"]

    def test_each_run_fails_anew(self) -> None:
        text = "answers: {review: {error: server, text: done}}"

        async def run() -> None:
            model = mock(text)
            for name in ("r-1", "r-2"):
                request = REQUEST._replace(run=name, visit=1)
                with pytest.raises(ModelError):
                    await model.complete(request)
                assert (await model.complete(request)).text == "done"

        asyncio.run(run())

    def test_always(self) -> None:
        async def run() -> None:
            model = mock("answers: {review: {error: server, times: always}}")
            for _ in range(5):
                with pytest.raises(ModelError):
                    await model.complete(REQUEST)

        asyncio.run(run())


class TestStreams:
    def test_words(self) -> None:
        *words, reply = streamed("answers: {review: one two three}")
        assert words == ["one ", "two ", "three"]
        assert isinstance(reply, ModelReply)
        assert reply.text == "one two three"

    def test_chunks(self) -> None:
        *chunks, reply = streamed(f"answers: {{review: {{text: {'a' * 90}, stream: chunks}}}}")
        assert [len(str(chunk)) for chunk in chunks] == [40, 40, 10]
        assert isinstance(reply, ModelReply)

    @pytest.mark.parametrize("key", ["delay", "word_delay"])
    def test_delays_really_wait(self, key: str) -> None:
        text = f"answers: {{review: {{text: one two, {key}: 3600}}}}"

        async def run() -> None:
            model = mock(text)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(model.complete(REQUEST), 0.02)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(model.stream(REQUEST)), 0.02)

        asyncio.run(run())


class TestStrictness:
    @pytest.mark.parametrize(
        ("text", "line", "says"),
        [
            ("- a", 1, "the script should be a mapping"),
            ("answer: {}", 1, "unknown key answer in the script (did you mean answers?)"),
            ("answers: 5", 1, "answers should be a mapping"),
            ("answers:\n  a: []", 2, "the list of answers is empty"),
            ("answers:\n  a:", 2, "an answer should be a text"),
            ("answers:\n  a: [[x]]", 2, "an answer should be a mapping"),
            ("answers:\n  a:\n    txt: x", 3, "unknown key txt in an answer (did you mean text?)"),
            ("answers:\n  a:\n    text: x\n    output: 1", 4, "a text or an output, not both"),
            ("answers:\n  a:\n    text: [x]", 3, "text should be a text"),
            ("answers:\n  a: {error: rat_limit}", 2, "(did you mean rate_limit?)"),
            ("answers:\n  a: {error: null}", 2, "error should be a text"),
            ("answers:\n  a: {times: 2}", 2, "times goes with an error"),
            ("answers:\n  a: {retry_after: 2}", 2, "retry_after goes with an error"),
            ("answers:\n  a: {error: server, times: -1}", 2, "whole number"),
            ("answers:\n  a: {error: server, times: 1.5}", 2, "whole number"),
            ("answers:\n  a: {error: server, times: true}", 2, "whole number"),
            ("answers:\n  a: {error: server, times: often}", 2, "whole number"),
            ("answers:\n  a: {delay: -1}", 2, "number of seconds"),
            ("answers:\n  a: {delay: .inf}", 2, "number of seconds"),
            ("answers:\n  a: {delay: .nan}", 2, "number of seconds"),
            ("answers:\n  a: {word_delay: soon}", 2, "number of seconds"),
            ("answers:\n  a: {stream: letters}", 2, "stream should be one of words, chunks"),
            ("answers:\n  a: {tool: find}", 2, "tool should be a mapping"),
            ("answers:\n  a: {tool: {arguments: {}}}", 2, "the tool has no name"),
            ("answers:\n  a: {tool: {name: x, arguments: [1]}}", 2, "arguments should be"),
            ("answers:\n  a: {tool: {name: x, args: {}}}", 2, "unknown key args in tool"),
            ("answers:\n  a: {usage: 5}", 2, "usage should be a mapping"),
            ("answers:\n  a: {usage: {inputs: 5}}", 2, "(did you mean input?)"),
            ("answers:\n  a: {usage: {input: many}}", 2, "whole number"),
            ("defaults: {text: x}", 1, "unknown key text in defaults"),
            ("answers:\n  a: x\n  a: y", 3, "stands twice"),
            ("answers: [", 2, "does not parse"),
        ],
    )
    def test_faults_say_where(self, text: str, line: int, says: str) -> None:
        with pytest.raises(SettingsError) as caught:
            parse_script(text, PATH)
        assert caught.value.where == f"{PATH}:{line}"
        assert says in str(caught.value)

    @given(text=st.text(alphabet="answers:{}[]\n -x*\"'1.", max_size=60))
    def test_any_text_is_a_script_or_a_fault(self, text: str) -> None:
        with contextlib.suppress(SettingsError):
            parse_script(text, PATH)


def test_the_examples_of_the_guide_are_scripts() -> None:
    guide = (ROOT / "docs" / "guide" / "rehearsal.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    scripts = [parse_script(text, PATH) for text in examples if "answers:" in text]
    assert len(scripts) >= 2
    assert all(script.turns for script in scripts)
