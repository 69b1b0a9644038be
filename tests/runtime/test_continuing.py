"""Going on with a run after the process ended: what is kept, what runs again, what is refused."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from scripts.runtime.errors import Conflict, DecisionError, ModelError, SourcesChanged, StoreError
from scripts.runtime.executor import Executor, Run, RunRequest
from scripts.runtime.flow import AnyFlow, Flow
from scripts.runtime.gate import Gate
from scripts.runtime.group import ParallelGroup
from scripts.runtime.logs import ROOT
from scripts.runtime.models.protocol import ModelReply, Usage
from scripts.runtime.runner import Decision
from scripts.runtime.services import Services
from scripts.runtime.settings import Settings
from scripts.runtime.stores.documents import FileDocuments
from scripts.runtime.stores.runfile import FileRuns
from scripts.runtime.subflow import Subflow

from .agents import Scripted, agent, chain, request, until

Analyst = agent("analyst")
Writer = agent("writer")
Maker = agent("maker", creates="prd")
Reader = agent("reader", wait_for_docs=("prd",))
Critic = agent("critic")
SOURCES = {"bmad/agents/analyst.md": "1", "bmad/workflow.yaml": "2"}


class Data:
    """A data folder; each `process` starts on it as after a restart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.documents = FileDocuments(folder / "docs")

    def process(
        self,
        build: Callable[[], AnyFlow],
        model: Any,
        sources: Mapping[str, str] = SOURCES,
        durability: Any = "commit",
    ) -> Executor:
        settings = Settings.model_validate({"on_missing_doc": "wait"})
        services = Services(model=model, documents=self.documents, settings=settings)
        runs = FileRuns(self.folder / "memory" / "runs", durability)
        return Executor(services, {"default": Flow("default", build)}, (Analyst,), runs, sources)

    @property
    def files(self) -> list[Path]:
        return sorted((self.folder / "memory").rglob("*.jsonl"))


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return Data(tmp_path)


async def ask(flows: Executor, **changes: Any) -> dict[str, Any]:
    return await flows.start(request(**changes)).wait()


def waits(text: str) -> Callable[[object], Any]:
    """An answer that takes a turn of the event loop, as every real one does."""

    async def answer(_: object) -> ModelReply:
        await asyncio.sleep(0)
        return ModelReply(text, usage=Usage(10, 5))

    return answer


def model(**answers: Any) -> Scripted:
    names = ("analyst", "writer", "maker", "reader", "critic", "one", "two")
    return Scripted({**{name: waits(f"{name} says so") for name in names}, **answers})


BROKEN = ModelError("down", provider="scripted")


def two() -> AnyFlow:
    return chain(Analyst(), Writer())


@pytest.mark.parametrize("durability", ["commit", "always"])
def test_a_failed_run_goes_on_after_a_restart(data: Data, durability: str) -> None:
    async def main() -> None:
        first = data.process(two, model(writer=BROKEN), durability=durability)
        failed = await ask(first)
        assert failed["status"] == "error"
        later = model()
        second = data.process(two, later, durability=durability)
        answer = await ask(second)
        assert answer["status"] == "success"
        assert answer["run_id"] == failed["run_id"]
        assert later.steps() == ["writer"]
        assert answer["results"] == {"analyst": "analyst says so", "writer": "writer says so"}
        assert answer["usage"]["input_tokens"] == 20, "what was paid before counts"
        assert answer["usage"]["calls"] == 2

    asyncio.run(main())


def test_after_success_nothing_is_left_and_all_starts_afresh(data: Data) -> None:
    async def main() -> None:
        asked = model()
        flows = data.process(two, asked)
        first, second = await ask(flows), await ask(flows)
        assert first["run_id"] != second["run_id"]
        assert asked.steps() == ["analyst", "writer"] * 2
        assert data.files == []

    asyncio.run(main())


def test_a_run_that_never_waits_leaves_no_trace(data: Data) -> None:
    async def main() -> None:
        services = Services(model=Scripted())
        runs = FileRuns(data.folder / "memory" / "runs")
        flows = Executor(services, {"default": Flow("default", two)}, (), runs)
        assert (await ask(flows))["status"] == "success"
        assert not (data.folder / "memory").exists()

    asyncio.run(main())


def test_a_finished_step_is_on_disk_before_anyone_hears_of_it(data: Data) -> None:
    async def main() -> None:
        flows = data.process(two, model())
        run = flows.start(request())
        await until(run, "step.completed", "analyst")
        assert b"analyst says so" in data.files[0].read_bytes()
        await run.wait()

    asyncio.run(main())


def test_always_writes_a_step_before_the_next_begins(data: Data) -> None:
    seen: list[bytes] = []

    async def look(_: object) -> str:
        seen.append(data.files[0].read_bytes())
        return "written"

    async def main() -> None:
        asked = Scripted({"analyst": "at once", "writer": look})
        assert (await ask(data.process(two, asked, durability="always")))["status"] == "success"
        assert b"at once" in seen[0]

    asyncio.run(main())


def test_numbers_grow_over_attempts_and_only_new_events_are_told(data: Data) -> None:
    async def main() -> None:
        first = data.process(two, model(writer=BROKEN)).start(request())
        await first.wait()
        second = data.process(two, model()).start(request())
        told = [event async for batch in second.log.follow(second.since) for event in batch]
        assert told[0].type == "run.started"
        assert told[0].seq > first.events()[-1].seq
        assert [event.type for event in told if event.step == "analyst"] == []
        seqs = [event.seq for event in second.log.events]
        assert seqs == sorted(set(seqs))

    asyncio.run(main())


def test_a_cancelled_run_goes_on(data: Data) -> None:
    async def forever(_: object) -> str:
        await asyncio.Event().wait()
        raise AssertionError("nobody wakes it")

    async def main() -> None:
        first = data.process(two, model(writer=forever)).start(request())
        await until(first, "step.started", "writer")
        first.cancel()
        await first.wait()
        later = model()
        answer = await ask(data.process(two, later))
        assert (answer["run_id"], answer["status"]) == (first.run_id, "success")
        assert later.steps() == ["writer"]

    asyncio.run(main())


def test_a_process_that_died_in_its_first_step_leaves_its_run_id(data: Data) -> None:
    async def main() -> None:
        opened = asyncio.Event()

        async def slow(_: object) -> str:
            opened.set()
            await asyncio.Event().wait()
            raise AssertionError

        run = data.process(two, model(analyst=slow)).start(request())
        await opened.wait()
        await asyncio.sleep(0)
        run.record.release()  # as the kernel does when a process ends
        answer = await ask(data.process(two, model()))
        assert (answer["run_id"], answer["status"]) == (run.run_id, "success")
        run.cancel()
        await run.wait()

    asyncio.run(main())


@pytest.mark.parametrize(
    "changes",
    [
        {"input": "another idea"},
        {"story_id": "S-2"},
        {"inputs": {"depth": "full"}},
        {"tenant": "other"},
        {"agent": "analyst"},
    ],
)
def test_another_request_is_another_run(data: Data, changes: dict[str, Any]) -> None:
    async def main() -> None:
        failed = await ask(data.process(two, model(writer=BROKEN)))
        later = model()
        assert (await ask(data.process(two, later), **changes))["run_id"] != failed["run_id"]
        assert later.steps()[0] == "analyst"

    asyncio.run(main())


def test_fresh_forgets_what_was_kept(data: Data) -> None:
    async def main() -> None:
        failed = await ask(data.process(two, model(writer=BROKEN)))
        later = model(writer=BROKEN)
        fresh = await ask(data.process(two, later), fresh=True)
        assert fresh["run_id"] != failed["run_id"]
        assert later.steps() == ["analyst", "writer"]
        assert len(data.files) == 1
        assert (await ask(data.process(two, model())))["run_id"] == fresh["run_id"]

    asyncio.run(main())


def test_members_of_a_group_that_finished_are_not_asked_again(data: Data) -> None:
    one, other = agent("one"), agent("two")

    def build() -> AnyFlow:
        return chain(ParallelGroup(one(), other()), Writer())

    async def main() -> None:
        assert (await ask(data.process(build, model(two=BROKEN))))["status"] == "error"
        later = model()
        answer = await ask(data.process(build, later))
        assert later.steps() == ["two", "writer"]
        assert list(answer["results"]) == ["one", "two", "writer"]

    asyncio.run(main())


def test_the_steps_of_a_sub_flow_are_kept_too(data: Data) -> None:
    def build() -> AnyFlow:
        return chain(Analyst(), Subflow("inner", two), Critic())

    async def main() -> None:
        broken = Scripted({"inner.writer": BROKEN})
        assert (await ask(data.process(build, broken)))["status"] == "error"
        later = Scripted()
        answer = await ask(data.process(build, later))
        assert answer["status"] == "success"
        assert later.steps() == ["inner.writer", "critic"]

    asyncio.run(main())


class TestSources:
    """A run is pinned to what its flows were made of."""

    NEW = {"bmad/agents/analyst.md": "other", "bmad/agents/new.md": "3"}  # noqa: RUF012
    CHANGED = ("bmad/agents/analyst.md", "bmad/agents/new.md", "bmad/workflow.yaml")

    def later(self, data: Data, **changes: Any) -> tuple[dict[str, Any], dict[str, Any], Scripted]:
        async def main() -> tuple[dict[str, Any], dict[str, Any], Scripted]:
            failed = await ask(data.process(two, model(writer=BROKEN)))
            asked = model()
            answer = await ask(data.process(two, asked, self.NEW), **changes)
            return failed, answer, asked

        return asyncio.run(main())

    def test_a_change_is_named_and_nothing_runs(self, data: Data) -> None:
        with pytest.raises(SourcesChanged) as found:
            self.later(data)
        assert (found.value.code, found.value.status) == ("sources_changed", 409)
        assert found.value.changed == self.CHANGED
        assert len(data.files) == 1, "the run can still go on"

    def test_continue_goes_on_with_what_is_finished(self, data: Data) -> None:
        failed, answer, asked = self.later(data, on_change="continue")
        assert (answer["run_id"], asked.steps()) == (failed["run_id"], ["writer"])

    def test_restart_begins_a_new_run(self, data: Data) -> None:
        failed, answer, asked = self.later(data, on_change="restart")
        assert answer["run_id"] != failed["run_id"]
        assert asked.steps() == ["analyst", "writer"]

    def test_on_change_without_a_change_goes_on(self, data: Data) -> None:
        async def main() -> None:
            failed = await ask(data.process(two, model(writer=BROKEN)))
            answer = await ask(data.process(two, model()), on_change="restart")
            assert answer["run_id"] == failed["run_id"]

        asyncio.run(main())

    def test_once_continued_the_run_is_pinned_to_the_new_sources(self, data: Data) -> None:
        async def main() -> None:
            await ask(data.process(two, model(writer=BROKEN)))
            await ask(data.process(two, model(writer=BROKEN), self.NEW), on_change="continue")
            answer = await ask(data.process(two, model(), self.NEW))
            assert answer["status"] == "success"

        asyncio.run(main())

    def test_a_run_that_finished_nothing_is_not_held_up(self, data: Data) -> None:
        async def main() -> None:
            failed = await ask(data.process(two, model(analyst=BROKEN)))
            answer = await ask(data.process(two, model(), self.NEW))
            assert (answer["run_id"], answer["status"]) == (failed["run_id"], "success")

        asyncio.run(main())


def circle(max_visits: int) -> Callable[[], AnyFlow]:
    """Writer and critic, back to the writer as long as the critic says so."""

    def build() -> AnyFlow:
        writer = Writer(max_visits=max_visits)
        critic = agent("critic", actions=("good", "again"))()
        writer >> critic
        critic - "again" >> writer
        critic - "good" >> Analyst()
        return AnyFlow(start=writer)

    return build


def test_a_loop_that_was_used_up_stays_so_until_its_source_allows_more(data: Data) -> None:
    again = waits("No.\nAction: again")

    async def main() -> None:
        ended = await ask(data.process(circle(2), model(critic=again)))
        later = model(critic=waits("Yes.\nAction: good"))
        same = await ask(data.process(circle(2), later))
        codes = [answer["error"]["code"] for answer in (ended, same)]
        assert (codes, later.steps()) == (["max_visits_exceeded"] * 2, [])
        sources = {**SOURCES, "bmad/workflow.yaml": "3"}
        more = data.process(circle(3), later, sources)
        done = await ask(more, on_change="continue")
        assert (done["status"], done["run_id"]) == ("success", ended["run_id"])
        assert later.steps() == ["writer", "critic", "analyst"]

    asyncio.run(main())


class TestDecisions:
    """What a person chose at a gate."""

    @staticmethod
    def build() -> AnyFlow:
        return chain(Analyst(), Gate("sign_off", question="Good?", actions=("yes", "no")), Writer())

    def test_a_gate_waits_over_a_restart(self, data: Data) -> None:
        async def main() -> None:
            pending = await ask(data.process(self.build, model()))
            gate = {"gate": "sign_off", "question": "Good?", "actions": ["yes", "no"], "visit": 1}
            assert (pending["status"], pending["pending_gates"]) == ("pending", [gate])
            later = model()
            decided = Decision("sign_off", "yes", "fine")
            answer = await ask(data.process(self.build, later), decision=decided)
            assert (answer["run_id"], answer["status"]) == (pending["run_id"], "success")
            assert answer["results"]["sign_off"] == {"action": "yes", "comment": "fine"}
            assert later.steps() == ["writer"]

        asyncio.run(main())

    def test_a_decision_that_was_taken_counts_once(self, data: Data) -> None:
        async def main() -> None:
            decided = Decision("sign_off", "yes")
            await ask(data.process(self.build, model()))
            await ask(data.process(self.build, model(writer=BROKEN)), decision=decided)
            with pytest.raises(Conflict) as found:
                await ask(data.process(self.build, model()), decision=Decision("sign_off", "no"))
            assert found.value.code == "no_pending_gate"
            answer = await ask(data.process(self.build, model()), decision=decided)
            assert answer["status"] == "success"

        asyncio.run(main())

    @pytest.mark.parametrize(
        ("gate", "action", "code", "named"),
        [
            ("other", "yes", "gate_unknown", "sign_off"),
            ("sign_off", "x", "action_not_offered", "yes"),
        ],
    )
    def test_what_is_possible_is_named(
        self, data: Data, gate: str, action: str, code: str, named: str
    ) -> None:
        async def main() -> None:
            await ask(data.process(self.build, model()))
            flows = data.process(self.build, model())
            with pytest.raises(DecisionError) as found:
                flows.start(request(decision=Decision(gate, action)))
            assert (found.value.code, found.value.status) == (code, 422)
            assert named in found.value.message
            answer = await ask(flows, decision=Decision("sign_off", "yes"))
            assert answer["status"] == "success", "the refusal left the run as it was"

        asyncio.run(main())

    @pytest.mark.parametrize("changes", [{}, {"fresh": True}])
    def test_a_run_that_waits_for_none_refuses_it(self, data: Data, changes: Any) -> None:
        async def main() -> None:
            flows = data.process(self.build, model())
            if changes:
                await ask(flows)
            with pytest.raises(Conflict) as found:
                flows.start(request(decision=Decision("sign_off", "yes"), **changes))
            assert (found.value.code, found.value.status) == ("no_pending_gate", 409)

        asyncio.run(main())


class TestChangedDocuments:
    """Finished steps that require a document which is new run again, and what came after them."""

    @staticmethod
    def build() -> AnyFlow:
        return chain(Maker(), Analyst(), Reader(), Critic(), Writer())

    @pytest.mark.parametrize("name", ["prd", "prd.md", "S-1__prd", "S-1__prd.md"])
    def test_readers_run_again_and_makers_do_not(self, data: Data, name: str) -> None:
        async def main() -> None:
            await ask(data.process(self.build, model(writer=BROKEN)))
            await data.documents.put("S-1__prd", "edited by hand")
            later = model()
            answer = await ask(data.process(self.build, later), changed=(name,))
            assert later.steps() == ["reader", "critic", "writer"]
            assert "edited by hand" in later.asked[0].messages[0].content
            assert answer["usage"]["calls"] == 4 + 3, "what ran twice was paid twice"
            assert answer["status"] == "success"

        asyncio.run(main())

    def test_what_runs_again_stays_so_after_another_restart(self, data: Data) -> None:
        async def main() -> None:
            await ask(data.process(self.build, model(writer=BROKEN)))
            broken = model(critic=BROKEN, reader=waits("read anew"))
            await ask(data.process(self.build, broken), changed=("prd",))
            later = model()
            answer = await ask(data.process(self.build, later))
            assert later.steps() == ["critic", "writer"]
            assert answer["results"]["reader"] == "read anew"

        asyncio.run(main())

    def test_a_document_that_nobody_requires_changes_nothing(self, data: Data) -> None:
        async def main() -> None:
            await ask(data.process(self.build, model(writer=BROKEN)))
            later = model()
            await ask(data.process(self.build, later), changed=("other",))
            assert later.steps() == ["writer"]

        asyncio.run(main())

    def test_readers_in_groups_and_sub_flows_are_found(self, data: Data) -> None:
        def inner() -> AnyFlow:
            return chain(ParallelGroup(Analyst(), Reader()))

        def build() -> AnyFlow:
            return chain(Maker(), Subflow("inner", inner), Writer())

        async def main() -> None:
            await ask(data.process(build, Scripted({"writer": BROKEN})))
            later = Scripted()
            await ask(data.process(build, later), changed=("prd",))
            assert later.steps() == ["inner.reader", "writer"]

        asyncio.run(main())


class TestTwins:
    """One run is going on once, whichever process it is in."""

    def start(self, data: Data) -> tuple[Executor, Run]:
        async def forever(_: object) -> str:
            await asyncio.Event().wait()
            raise AssertionError

        flows = data.process(two, model(writer=forever))
        return flows, flows.start(request())

    def test_another_process_is_refused_while_it_goes_on(self, data: Data) -> None:
        async def main() -> None:
            _, run = self.start(data)
            await until(run, "step.started", "writer")
            with pytest.raises(Conflict) as found:
                data.process(two, model()).start(request())
            assert found.value.code == "run_in_progress"
            assert run.run_id in found.value.message
            run.cancel()
            await run.wait()
            assert (await ask(data.process(two, model())))["run_id"] == run.run_id

        asyncio.run(main())

    def test_two_that_begin_at_one_moment_do_not_both_go_on(self, data: Data) -> None:
        async def main() -> None:
            _, first = self.start(data)
            late = model()
            second = data.process(two, late).start(request())
            answer = await second.wait()
            assert (second.http_status, answer["error"]["code"]) == (409, "run_in_progress")
            assert late.steps() in ([], ["analyst"])
            assert not first.ended
            first.cancel()
            await first.wait()
            assert (await ask(data.process(two, model())))["run_id"] == first.run_id

        asyncio.run(main())


class TestFaults:
    """Files that are damaged or cannot be written."""

    def test_a_damaged_line_costs_its_step_only(
        self, data: Data, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def main() -> None:
            build = TestChangedDocuments.build
            await ask(data.process(build, model(writer=BROKEN)))
            content = data.files[0].read_bytes().replace(b"analyst says so", b"analyst says no")
            data.files[0].write_bytes(content)
            later = model()
            assert (await ask(data.process(build, later)))["status"] == "success"
            assert later.steps() == ["analyst", "writer"]

        # A service of another test may have taken the log for itself.
        monkeypatch.setattr(logging.getLogger(ROOT), "propagate", True)
        with caplog.at_level(logging.WARNING, logger=ROOT):
            asyncio.run(main())
        assert "line 3 is skipped" in caplog.text

    @pytest.mark.parametrize("cut", [1, 2, 40])
    def test_a_torn_tail_is_passed_over_and_hides_nothing_new(self, data: Data, cut: int) -> None:
        def three() -> AnyFlow:
            return chain(Analyst(), Writer(), Critic())

        async def main() -> None:
            failed = await ask(data.process(three, model(writer=BROKEN)))
            data.files[0].write_bytes(data.files[0].read_bytes()[:-cut])
            again = await ask(data.process(three, model(critic=BROKEN)))
            assert again["run_id"] == failed["run_id"]
            later = model()
            assert (await ask(data.process(three, later)))["status"] == "success"
            assert later.steps() == ["critic"]

        asyncio.run(main())

    @pytest.mark.parametrize("content", [b"", b"\0" * 100, b"{}\n", b'{"op":"run"', b"\n\n"])
    def test_a_file_without_its_first_line_starts_afresh(self, data: Data, content: bytes) -> None:
        async def main() -> None:
            await ask(data.process(two, model(writer=BROKEN)))
            data.files[0].write_bytes(content)
            broken = model(writer=BROKEN)
            fresh = await ask(data.process(two, broken))
            assert broken.steps() == ["analyst", "writer"]
            assert (await ask(data.process(two, model())))["run_id"] == fresh["run_id"]

        asyncio.run(main())

    def test_a_link_or_a_pipe_in_its_place_is_refused(self, data: Data) -> None:
        async def main() -> None:
            await ask(data.process(two, model(writer=BROKEN)))
            path = data.files[0]
            path.rename(data.folder / "elsewhere")
            path.symlink_to(data.folder / "elsewhere")
            with pytest.raises(StoreError):
                data.process(two, model()).start(request())
            path.unlink()
            os.mkfifo(path)
            with pytest.raises(StoreError, match="not a regular file"):
                data.process(two, model()).start(request())

        asyncio.run(main())

    def test_an_output_that_cannot_be_kept_fails_its_run_only(self, data: Data) -> None:
        async def main() -> None:
            flows = data.process(two, model(analyst=waits("x" * 8_000_000)))
            answer = await ask(flows)
            assert (answer["status"], answer["error"]["code"]) == ("error", "store_failed")
            assert (await ask(flows, story_id="S-2"))["error"]["code"] == "store_failed"
            assert flows.active == 0

        asyncio.run(main())


def test_only_so_many_are_kept_and_the_oldest_go(data: Data) -> None:
    async def main() -> None:
        services = Services(model=model(writer=BROKEN))
        runs = FileRuns(data.folder / "memory" / "runs", limit=10)
        flows = Executor(services, {"default": Flow("default", two)}, (), runs)
        for number in range(30):
            await ask(flows, story_id=f"S-{number}")
            assert len(data.files) <= 10
        kept = [path.read_bytes() for path in data.files]
        assert any(b'"S-29"' in content for content in kept)
        assert not any(b'"S-0"' in content for content in kept)

    asyncio.run(main())


def test_a_start_removes_what_is_too_much(data: Data) -> None:
    folder = data.folder / "memory" / "runs"
    folder.mkdir(parents=True)
    for number in range(15):
        path = folder / f"{number}.jsonl"
        path.write_bytes(b"x")
        os.utime(path, ns=(number, number))
    FileRuns(folder, limit=10).sweep()
    assert {path.name for path in data.files} == {f"{number}.jsonl" for number in range(6, 15)}


def test_identities_are_told_apart() -> None:
    def of(*parts: str) -> str:
        flow, story, text = parts
        return RunRequest(flow, text, story).identity

    assert of("a", "b", "c") != of("ab", "", "c")
    assert of("a", "b", "\0c") != of("a", "b", "c")
    assert RunRequest("f", "\ud800", "S").identity
    assert RunRequest("f", "x", "S", {"a": 1, "b": 2}).identity == (
        RunRequest("f", "x", "S", {"b": 2, "a": 1}).identity
    )
