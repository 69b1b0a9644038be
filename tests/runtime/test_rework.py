"""Make for documents: after an edit only what is downstream of it runs, the rest is reused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.runtime.errors import SourcesChanged
from scripts.runtime.events import Event
from scripts.runtime.executor import Executor, Run
from scripts.runtime.flow import AnyFlow, Flow
from scripts.runtime.gate import Gate
from scripts.runtime.group import ParallelGroup
from scripts.runtime.models.protocol import ModelReply, Usage
from scripts.runtime.runner import Decision
from scripts.runtime.services import Services
from scripts.runtime.stores.runs import MemoryRuns
from scripts.runtime.subflow import Subflow

from .agents import Scripted, agent, chain, request
from .test_continuing import BROKEN, SOURCES, Data

Analyst = agent("analyst")
Maker = agent("maker", creates="prd")
Reader = agent("reader", wait_for_docs=("prd",))
Critic = agent("critic")
Writer = agent("writer")
EDIT = "edited by hand"


class Counting(Scripted):
    """Answers with the step and how often it was asked, so that no two answers are the same."""

    async def complete(self, request: Any) -> ModelReply:
        self.asked.append(request)
        answer = self.answers.get(request.step)
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, Exception):
            raise answer
        await asyncio.sleep(0)
        said = len(self.asked)
        return ModelReply(answer or f"{request.step} {said}", usage=Usage(10, 5))


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return Data(tmp_path)


def line() -> AnyFlow:
    return chain(Maker(), Analyst(), Reader(), Critic(), Writer())


async def finished(flows: Executor, **changes: Any) -> Run:
    run = flows.start(request(**changes))
    await run.wait()
    return run


def of(run: Run, type: str) -> list[Event]:
    return [event for event in run.events() if event.type == type]


def steps(run: Run, type: str) -> list[str | None]:
    return [event.step for event in of(run, type)]


async def edited(
    data: Data,
    build: Callable[[], AnyFlow],
    *names: str,
    first: Any = None,
    later: Any = None,
    **changes: Any,
) -> tuple[Run, Run, Any]:
    """A success, then an edit of `names` and the same request in another process."""
    for name in ("prd", "other", *names):
        await data.documents.put(f"S-1__{name}", "given")
    before = await finished(data.process(build, first or Counting()))
    assert before.answer()["status"] == "success"
    for name in names:
        await data.documents.put(f"S-1__{name}", EDIT, author={"kind": "client"})
    model = later or Counting()
    after = await finished(data.process(build, model), changed=names, **changes)
    return before, after, model


class TestAfterSuccess:
    def test_only_what_is_downstream_runs(self, data: Data) -> None:
        async def main() -> None:
            before, after, model = await edited(data, line, "prd")
            assert model.steps() == ["reader", "critic", "writer"]
            assert EDIT in model.asked[0].messages[0].content
            answer = after.answer()
            assert answer["status"] == "success"
            assert answer["results"]["maker"] == before.answer()["results"]["maker"]
            assert answer["results"]["reader"] == "reader 1"
            assert set(answer["results"]) == {"maker", "analyst", "reader", "critic", "writer"}
            assert answer["usage"]["calls"] == 3, "what is reused costs nothing again"
            assert after.run_id != before.run_id

        asyncio.run(main())

    def test_a_clock_that_is_set_back_brings_no_older_success(
        self, data: Data, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def main() -> None:
            await data.documents.put("S-1__prd", "given")
            before = await finished(data.process(line, Counting()))
            real = time.time
            monkeypatch.setattr(time, "time", lambda: real() - 86_400)
            newest = await finished(data.process(line, Counting()), fresh=True)
            await data.documents.put("S-1__prd", EDIT, author={"kind": "client"})
            after = await finished(data.process(line, Counting()), changed=["prd"])
            assert after.events()[0].data["reused_from"] == newest.run_id != before.run_id

        asyncio.run(main())

    def test_the_edit_is_not_written_over(self, data: Data) -> None:
        async def main() -> None:
            await edited(data, line, "prd")
            found = await data.documents.get("S-1__prd")
            assert found is not None
            assert found.text == EDIT

        asyncio.run(main())

    def test_the_events_say_what_was_reused_and_why(self, data: Data) -> None:
        async def main() -> None:
            before, after, _ = await edited(data, line, "prd")
            events = after.events()
            assert [event.seq for event in events] == list(range(1, len(events) + 1))
            assert events[0].data["changed"] == ["prd"]
            assert events[0].data["reused_from"] == before.run_id
            reused = {event.step: event.data["reason"] for event in of(after, "step.reused")}
            assert reused == {
                "maker": "its document prd was changed by hand",
                "analyst": "nothing that it sees has changed",
            }
            because = {event.step: event.data["because"] for event in of(after, "step.started")}
            assert because == {
                "reader": "document prd has changed",
                "critic": "step reader ran again",
                "writer": "step critic ran again",
            }

        asyncio.run(main())

    def test_a_plain_request_starts_afresh(self, data: Data) -> None:
        async def main() -> None:
            await edited(data, line, "prd")
            for changes in ({}, {"fresh": True}, {"fresh": True, "changed": ("prd",)}):
                model = Counting()
                run = await finished(data.process(line, model), **changes)
                assert len(model.asked) == 5
                assert "changed" not in run.events()[0].data

        asyncio.run(main())

    def test_again_and_again(self, data: Data) -> None:
        """The rework is itself a success that the next one can build on."""

        async def main() -> None:
            _, after, _ = await edited(data, line, "prd")
            model = Counting()
            last = await finished(data.process(line, model), changed=("prd",))
            assert model.steps() == ["reader", "critic", "writer"]
            assert last.events()[0].data["reused_from"] == after.run_id
            assert steps(last, "step.reused") == ["maker", "analyst"]

        asyncio.run(main())

    def test_in_one_process_without_files(self) -> None:
        async def main() -> None:
            model = Counting()
            flows = Executor(
                Services(model=model), {"default": Flow("default", line)}, (), MemoryRuns()
            )
            await finished(flows)
            model.asked.clear()
            await finished(flows, changed=("prd",))
            assert model.steps() == ["reader", "critic", "writer"]

        asyncio.run(main())

    def test_what_nobody_requires_runs_nothing(self, data: Data) -> None:
        async def main() -> None:
            before, after, model = await edited(data, line, "other")
            assert model.asked == []
            assert after.answer()["results"] == before.answer()["results"]
            assert after.answer()["usage"]["calls"] == 0

        asyncio.run(main())

    def test_another_input_is_another_run(self, data: Data) -> None:
        async def main() -> None:
            _, after, model = await edited(data, line, "prd", input="another idea")
            assert len(model.asked) == 5
            assert after.events()[0].data["reused_from"] is None

        asyncio.run(main())

    def test_changed_sources_are_asked_about(self, data: Data) -> None:
        async def main() -> None:
            await finished(data.process(line, Counting()))
            newer = {**SOURCES, "bmad/agents/analyst.md": "9"}
            flows = data.process(line, Counting(), newer)
            with pytest.raises(SourcesChanged):
                flows.start(request(changed=("prd",)))
            for on_change, calls in (("continue", 3), ("restart", 5)):
                model = Counting()
                flows = data.process(line, model, newer if calls == 3 else SOURCES)
                await finished(flows, changed=("prd",), on_change=on_change)
                assert len(model.asked) == calls

        asyncio.run(main())


class TestNothingToReuse:
    def test_all_runs_and_that_is_said(self, data: Data) -> None:
        async def main() -> None:
            await data.documents.put("S-1__prd", EDIT)
            model = Counting()
            run = await finished(data.process(line, model), changed=("prd",))
            assert model.steps() == ["maker", "analyst", "reader", "critic", "writer"]
            assert run.events()[0].data["reused_from"] is None
            found = await data.documents.get("S-1__prd")
            assert found is not None
            assert found.text == EDIT, "not even by the step that creates it"
            seen = next(each for each in model.asked if each.step == "reader")
            assert EDIT in seen.messages[0].content

        asyncio.run(main())


class TestWhatIsDownstream:
    """Of each step: what it is shown, however it came to be shown it."""

    @pytest.mark.parametrize(
        ("build", "again"),
        [
            pytest.param(
                lambda: chain(Maker(), ParallelGroup(Analyst(), Reader()), Critic(), Writer()),
                ["reader", "critic", "writer"],
                id="a group, and what follows it",
            ),
            pytest.param(
                lambda: chain(
                    Maker(),
                    ParallelGroup(Analyst(), Reader()),
                    agent("critic", wait_for_agents=("analyst",))(),
                    agent("writer", wait_for_agents=("critic",))(),
                ),
                ["reader"],
                id="who waits for others is not",
            ),
            pytest.param(
                lambda: chain(
                    Maker(),
                    ParallelGroup(
                        agent("one", wait_for_docs=("prd",), creates="plan")(),
                        agent("two", wait_for_docs=("plan",))(),
                        Analyst(),
                    ),
                    agent("three", wait_for_agents=("analyst",))(),
                    agent("four", wait_for_agents=("three",), wait_for_docs=("plan",))(),
                ),
                ["one", "two", "four"],
                id="through documents",
            ),
            pytest.param(
                lambda: chain(
                    Analyst(), agent("critic", wait_for_docs=("prd", "analyst"))(), Writer()
                ),
                ["critic", "writer"],
                id="a document that no step creates",
            ),
            pytest.param(
                lambda: chain(Maker(), Subflow("in", lambda: chain(Analyst(), Reader())), Writer()),
                ["in.reader", "writer"],
                id="inside a flow",
            ),
            pytest.param(
                lambda: chain(Maker(), Subflow("in", lambda: chain(Reader(), Analyst())), Writer()),
                ["in.reader", "in.analyst", "writer"],
                id="through a flow",
            ),
            pytest.param(
                lambda: chain(
                    Maker(),
                    Subflow(
                        "in",
                        lambda: chain(Reader(), agent("last", wait_for_docs=("other",))()),
                    ),
                    agent("writer", wait_for_agents=("analyst",))(),
                ),
                ["in.reader", "in.last"],
                id="not behind a flow that is not looked at",
            ),
            pytest.param(
                lambda: chain(
                    Maker(), Subflow("in", lambda: chain(Analyst(), Critic())), Writer(), Reader()
                ),
                ["reader"],
                id="not behind a flow that is good",
            ),
            pytest.param(
                lambda: chain(Maker(), Reader(), Subflow("in", lambda: chain(Analyst(), Critic()))),
                ["reader", "in.analyst", "in.critic"],
                id="into a flow",
            ),
            pytest.param(
                lambda: chain(Maker(), Reader(), Analyst(when='story_id == "T"'), Writer()),
                ["reader", "writer"],
                id="past a step that is skipped",
            ),
        ],
    )
    def test_runs_again(self, data: Data, build: Callable[[], AnyFlow], again: list[str]) -> None:
        async def main() -> None:
            before, after, model = await edited(data, build, "prd")
            assert sorted(model.steps()) == sorted(again)
            assert set(after.answer()["results"]) == set(before.answer()["results"])
            assert after.answer()["status"] == "success"

        asyncio.run(main())

    def test_a_creator_that_is_downstream_itself_writes_anew(self, data: Data) -> None:
        def build() -> AnyFlow:
            return chain(agent("maker", wait_for_docs=("brief",), creates="prd")(), Reader())

        async def main() -> None:
            _, _, model = await edited(data, build, "brief")
            assert model.steps() == ["maker", "reader"]
            _, _, model = await edited(data, build, "brief", "prd")
            assert model.steps() == ["reader"], "its document is somebody's own now"

        asyncio.run(main())

    def test_items_of_a_list(self, data: Data) -> None:
        Lister = agent("lister", output={"type": "array"})  # noqa: N806 - a class
        each = agent("each", wait_for_docs=("prd",))

        def build() -> AnyFlow:
            return chain(Lister(), each(for_each=("lister",)), Writer())

        async def main() -> None:
            answers = {"lister": '["a", "b"]'}
            _, after, model = await edited(
                data, build, "prd", first=Counting(answers), later=Counting(answers)
            )
            assert model.steps() == ["each", "each", "writer"]
            assert len(after.answer()["results"]["each"]) == 2
            _, after, model = await edited(
                data, build, "other", first=Counting(answers), later=Counting(answers)
            )
            assert model.asked == []
            assert steps(after, "step.reused") == ["lister", "each", "each", "writer"]

        asyncio.run(main())


class TestLoops:
    """Visits are judged one by one; what is not come by again has no result."""

    @staticmethod
    def build() -> AnyFlow:
        maker = agent("maker", creates="prd")(max_visits=3)
        critic = agent("critic", wait_for_docs=("prd",), actions=("approve", "revise"))()
        writer = Writer()
        maker >> critic
        critic - "approve" >> writer
        critic - "revise" >> maker
        return AnyFlow(start=maker)

    REVISED = ("no\nAction: revise", "fine\nAction: approve")

    def test_a_shorter_way(self, data: Data) -> None:
        async def main() -> None:
            before, after, model = await edited(
                data,
                self.build,
                "prd",
                first=Counting({"critic": [*self.REVISED]}),
                later=Counting({"critic": "fine\nAction: approve"}),
            )
            assert steps(before, "step.completed") == [
                "maker", "critic", "maker", "critic", "writer",
            ]  # fmt: skip
            assert model.steps() == ["critic", "writer"]
            assert after.answer()["results"]["maker"] == "maker 1", "the first visit's"

        asyncio.run(main())

    def test_the_same_way_writes_the_document_when_it_is_asked_to(self, data: Data) -> None:
        async def main() -> None:
            _, after, model = await edited(
                data,
                self.build,
                "prd",
                first=Counting({"critic": "fine\nAction: approve"}),
                later=Counting({"critic": [*self.REVISED]}),
            )
            assert model.steps() == ["critic", "maker", "critic", "writer"]
            found = await data.documents.get("S-1__prd")
            assert found is not None
            assert found.text == after.answer()["results"]["maker"] == "maker 2"

        asyncio.run(main())


def gated() -> AnyFlow:
    gate = Gate("sign_off", actions=("yes", "no"))
    return chain(Maker(), Analyst(), gate, Reader(), Gate("publish", actions=("yes",)), Writer())


def test_a_gate_asks_again_about_what_is_new(data: Data) -> None:
    async def main() -> None:
        flows = data.process(gated, Counting())
        for gate in ("", "sign_off", "publish"):
            decision = Decision(gate, "yes") if gate else None
            await finished(flows, decision=decision)
        model = Counting()
        flows = data.process(gated, model)
        run = await finished(flows, changed=("prd",))
        assert run.answer()["status"] == "pending"
        assert [gate["gate"] for gate in run.answer()["pending_gates"]] == ["publish"]
        assert steps(run, "step.reused") == ["maker", "analyst", "sign_off"]
        assert model.steps() == ["reader"]
        done = await finished(flows, decision=Decision("publish", "yes"))
        assert done.answer()["status"] == "success"
        assert done.run_id == run.run_id
        assert model.steps() == ["reader", "writer"]

    asyncio.run(main())


class TestInterrupted:
    """A rework that fails goes on as a rework, in another process too."""

    def test_what_it_finished_is_good(self, data: Data) -> None:
        async def main() -> None:
            broken = Counting({"critic": BROKEN})
            _, failed, _ = await edited(data, line, "prd", later=broken)
            assert failed.answer()["status"] == "error"
            assert set(failed.answer()["results"]) == {"maker", "analyst", "reader"}
            model = Counting()
            done = await finished(data.process(line, model))
            assert model.steps() == ["critic", "writer"]
            assert done.run_id == failed.run_id
            assert done.answer()["usage"]["calls"] == 1 + 2
            assert done.answer()["results"]["reader"] == failed.answer()["results"]["reader"]
            assert steps(done, "step.reused") == ["maker", "analyst", "reader"]

        asyncio.run(main())

    def test_a_second_edit_meanwhile(self, data: Data) -> None:
        async def main() -> None:
            await edited(data, line, "prd", later=Counting({"critic": BROKEN}))
            model = Counting()
            await finished(data.process(line, model), changed=("prd",))
            assert model.steps() == ["reader", "critic", "writer"]

        asyncio.run(main())

    def test_nothing_to_reuse_stays_withheld(self, data: Data) -> None:
        async def main() -> None:
            await data.documents.put("S-1__prd", EDIT)
            broken = Counting({"maker": BROKEN})
            await finished(data.process(line, broken), changed=("prd",))
            await finished(data.process(line, Counting()))
            found = await data.documents.get("S-1__prd")
            assert found is not None
            assert found.text == EDIT

        asyncio.run(main())


def test_documents_say_who_wrote_them(data: Data) -> None:
    async def main() -> None:
        run = await finished(data.process(line, Counting()))
        (revision,) = await data.documents.revisions("S-1__prd")
        assert revision.author == {
            "kind": "agent",
            "agent": "maker",
            "step": "agent:maker#1",
            "run_id": run.run_id,
            "prompt": Maker.prompt_digest,
        }
        assert len(Maker.prompt_digest) == 64
        assert Maker.prompt_digest != Reader.prompt_digest

    asyncio.run(main())
