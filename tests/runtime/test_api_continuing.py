"""Continuing over HTTP: decisions, changed sources, changed documents, keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.runtime.errors import ModelError
from scripts.runtime.flow import AnyFlow, Flow
from scripts.runtime.gate import Gate

from .agents import Scripted, agent, chain
from .api import Analyst, Served, Writer, application, serve

Editor = agent("editor")
BROKEN = ModelError("down", provider="scripted")
ACTIONS = ("approve", "revise")
FOUND = {"gate": "sign-off", "question": "Is it good?", "actions": list(ACTIONS), "visit": 1}


def gated() -> AnyFlow:
    gate = Gate("sign-off", question="Is it good?", actions=ACTIONS)
    return chain(Analyst(), gate, Editor())


def loop() -> AnyFlow:
    analyst, gate = Analyst(), Gate("sign-off", question="Is it good?", actions=ACTIONS)
    editor = Editor()
    analyst >> gate
    gate - "revise" >> analyst
    gate - "approve" >> editor
    return AnyFlow(start=analyst)


def readers() -> AnyFlow:
    return chain(Analyst(), Writer(), Editor())


FLOWS = {
    "gated": Flow("gated", gated),
    "loop": Flow("loop", loop),
    "readers": Flow("readers", readers, on_missing_doc="wait"),
}


def app(root: Path, model: Scripted, flows: dict[str, Flow] = FLOWS) -> Any:
    return application(root, model=model, agents=(Analyst, Writer, Editor), flows=flows)


@pytest.fixture
def model() -> Scripted:
    return Scripted()


@pytest.fixture
def served(tmp_path: Path, model: Scripted) -> Iterator[Served]:
    with serve(app(tmp_path, model)) as running:
        yield running


def decide(action: str, gate: str = "sign-off", **more: Any) -> dict[str, Any]:
    return {"decision": {"gate": gate, "action": action, **more}}


def test_a_gate_is_told_and_goes_on_with_the_decision(served: Served, model: Scripted) -> None:
    pending = served.run(flow="gated").json()
    assert pending["status"] == "pending"
    assert pending["pending_gates"] == [FOUND]
    done = served.run(flow="gated", **decide("approve", comment="Well done.")).json()
    assert (done["status"], done["run_id"]) == ("success", pending["run_id"])
    assert done["results"]["sign-off"] == {"action": "approve", "comment": "Well done."}
    assert model.steps() == ["analyst", "editor"]


@pytest.mark.parametrize(
    ("decision", "code", "named"),
    [
        (decide("approve", gate="other"), "gate_unknown", "sign-off"),
        (decide("reject"), "action_not_offered", "approve, revise"),
    ],
)
def test_what_is_possible_is_named(
    served: Served, decision: dict[str, Any], code: str, named: str
) -> None:
    served.run(flow="gated")
    answer = served.run(flow="gated", **decision)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert named in answer.json()["detail"]


def test_a_decision_that_nobody_waits_for_is_409(served: Served) -> None:
    answer = served.run(flow="gated", **decide("approve"))
    assert (answer.status_code, answer.json()["code"]) == (409, "no_pending_gate")


@pytest.mark.parametrize(
    "fields",
    [
        {"decision": "approve"},
        {"decision": {"gate": "sign-off"}},
        {"decision": {"gate": "sign-off", "action": "approve", "by": "me"}},
        {"decision": {"gate": "sign-off", "action": "approve", "visit": 0}},
        {"on_change": "carry on"},
        {"changed": "prd"},
        {"changed": ["../prd"]},
        {"changed": ["prd"] * 1001},
    ],
)
def test_what_does_not_fit_is_422(served: Served, fields: dict[str, Any]) -> None:
    answer = served.run(flow="gated", **fields)
    assert answer.status_code == 422
    assert answer.json()["code"] in ("invalid", "invalid_name")


def test_with_a_key_a_decision_counts_once(served: Served, model: Scripted) -> None:
    served.run(flow="loop")
    body = {"input": "an idea", "story_id": "S-1", "flow": "loop", **decide("revise")}
    for _ in range(3):
        answer = served.client.post("/run", json=body, headers={"idempotency-key": "k"})
        gates = answer.json()["pending_gates"]
        assert gates == [{**FOUND, "visit": 2}], "nobody has seen the second draft"
    assert model.steps() == ["analyst", "analyst"]
    assert served.run(flow="loop", **decide("approve")).json()["status"] == "success"


def test_with_its_visit_a_decision_counts_once(served: Served, model: Scripted) -> None:
    served.run(flow="loop")
    for _ in range(3):
        answer = served.run(flow="loop", **decide("revise", visit=1)).json()
        assert answer["pending_gates"] == [{**FOUND, "visit": 2}]
    assert model.steps() == ["analyst", "analyst"], "only the first paid for a round"
    other = served.run(flow="loop", **decide("approve", visit=1))
    assert (other.status_code, other.json()["code"]) == (409, "already_decided")
    assert "revise" in other.json()["detail"]
    early = served.run(flow="loop", **decide("approve", visit=3))
    assert (early.status_code, early.json()["code"]) == (422, "visit_unknown")
    assert "visit 2" in early.json()["detail"]
    assert served.run(flow="loop", **decide("approve", visit=2)).json()["status"] == "success"
    assert model.steps() == ["analyst", "analyst", "editor"]


def test_a_decision_may_be_repeated_with_its_visit_while_the_run_fails(tmp_path: Path) -> None:
    with serve(app(tmp_path, Scripted({"editor": [BROKEN, "edited"]}))) as served:
        served.run(flow="gated")
        assert served.run(flow="gated", **decide("approve", visit=1)).status_code == 502
        again = served.run(flow="gated", **decide("approve", visit=1))
        assert again.json()["status"] == "success"


def write_sources(root: Path, **sources: str) -> None:
    """What the tree says that it was made of."""
    manifest = root / "generated" / "manifest.sha256"
    lines = [line for line in manifest.read_text().splitlines() if "# source" not in line]
    for name, letter in sources.items():
        lines.insert(1, f"# source {letter * 64}  bmad/agents/{name}.md")
    manifest.write_text("\n".join(lines) + "\n")


def start(root: Path, model: Scripted, **sources: str) -> Any:
    """The service as after a compilation and a restart."""
    made = root / "generated"
    if made.exists():
        made.rename(root / f"generated-{len(list(root.iterdir()))}")
    application_ = app(root, model)
    write_sources(root, **sources)
    service = application_.state.service
    services = service.services
    service._services = None
    service.open(services)
    return serve(application_)


def test_changed_sources_are_named_until_something_is_said(tmp_path: Path) -> None:
    with start(tmp_path, Scripted({"editor": BROKEN}), analyst="a", editor="b") as served:
        failed = served.run(flow="readers", documents={"prd": "text"}).json()
        assert failed["status"] == "error"
    later = Scripted()
    with start(tmp_path, later, analyst="a", editor="c") as served:
        refused = served.run(flow="readers")
        assert (refused.status_code, refused.json()["code"]) == (409, "sources_changed")
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["changed"] == ["bmad/agents/editor.md"]
        assert later.steps() == []
        done = served.run(flow="readers", on_change="continue").json()
        assert (done["run_id"], done["status"]) == (failed["run_id"], "success")
        assert later.steps() == ["editor"]


def test_an_agent_alone_is_never_held_up_by_them(tmp_path: Path) -> None:
    body = {"input": "an idea", "story_id": "S-1"}
    with start(tmp_path, Scripted({"editor": BROKEN}), editor="b") as served:
        assert served.client.post("/agent/editor/run", json=body).status_code == 502
    with start(tmp_path, Scripted(), editor="c") as served:
        assert served.client.post("/agent/editor/run", json=body).status_code == 200


def test_readers_of_a_changed_document_run_again(tmp_path: Path) -> None:
    model = Scripted({"editor": [BROKEN, "done"]})
    with serve(app(tmp_path, model)) as served:
        served.run(flow="readers", documents={"prd": "old text"})
        text = {"content-type": "text/markdown"}
        served.client.put("/doc/S-1__prd", content=b"new text", headers=text)
        done = served.run(flow="readers", changed=["prd"]).json()
    assert done["status"] == "success"
    assert model.steps() == ["analyst", "writer", "editor", "writer", "editor"]
    assert "new text" in model.asked[3].messages[0].content


def test_a_document_that_cannot_be_read_names_the_step_that_wanted_it(served: Served) -> None:
    served.run(flow="readers", documents={"prd": "text"})
    (served.service.settings.data_dir / "docs" / "S-1__prd.md").write_bytes(b"caf\xe9")
    answer = served.run(flow="readers", changed=["prd"])
    assert answer.status_code == 500
    error = answer.json()["error"]
    assert (error["code"], error["step"]) == ("store_failed", "writer")
    assert error["message"] == "S-1__prd.md is not UTF-8"


@pytest.mark.parametrize(
    ("name", "told"), [("prx", "prx"), ("S-1__prx.md", "prx"), ("PRD.md", "PRD")]
)
def test_a_misspelt_document_is_refused_before_anything_is_paid(
    served: Served, model: Scripted, name: str, told: str
) -> None:
    answer = served.run(flow="readers", changed=["prd", name])
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_name")
    expected = f"changed names no document of this flow: {told} (did you mean prd?)"
    assert answer.json()["detail"] == expected
    assert model.asked == []


@pytest.mark.parametrize("name", ["prd__2", "prd__2__1", "analyst", "of-another-flow"])
def test_other_documents_may_be_named(served: Served, name: str) -> None:
    answer = served.run(flow="readers", documents={"prd": "text"}, changed=[name])
    assert answer.json()["status"] == "success"


def test_a_run_goes_on_after_a_restart_as_events(tmp_path: Path) -> None:
    with serve(app(tmp_path, Scripted({"editor": BROKEN}))) as served:
        failed = served.run(flow="readers", documents={"prd": "text"}).json()
    (tmp_path / "generated").rename(tmp_path / "generated-before")
    later = Scripted()
    with serve(app(tmp_path, later)) as served:
        body = {"input": "an idea", "story_id": "S-1", "flow": "readers"}
        headers = {"accept": "text/event-stream"}
        text = served.client.post("/run", json=body, headers=headers).text
    assert failed["run_id"] in text
    assert later.steps() == ["editor"]
    seqs = [int(line[4:]) for line in text.splitlines() if line.startswith("id: ")]
    assert seqs == sorted(set(seqs))
    assert "event: run.completed" in text
