"""The sample and some flows of our own, served three times: one service for each wire format.

All three ask the model stand-in, through a server that can be told to break things.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from tests.faulty import Faulty, parts, wires
from tests.project import ROOT, Project
from tests.service import Service
from tests.stand_in import StandIn

SCOUTS = 12
WIRES = ("openai-compatible", "anthropic", "google")
EVENTS = {"accept": "text/event-stream"}
_numbers = itertools.count(1)


def _agent(name: str, *settings: str) -> str:
    lines = "".join(f"{line}\n" for line in settings)
    return f"---\nid: {name}\n{lines}---\nYou are {says(name)}.\n"


def says(name: str) -> str:
    """What the prompt of an agent holds and no other's does."""
    return f"the {name} at work"


ITEMS = (
    "output: {type: object, properties: {items: {type: array, items: {type: string}}},"
    " required: [items], additionalProperties: false}"
)
AGENTS: dict[str, tuple[str, ...]] = {
    "drafter": (),
    "judge": ("actions: [approve, reject]",),
    "publisher": (),
    "scout": (),
    "lister": (ITEMS,),
    "worker": (),
    "closer": (),
    "first": (),
    "breaks": ("retries: 1",),
    "again": ("retries: 2",),
    "late": ("retries: 1", "timeout: 1"),
    "shaped": ("retries: 1", "output: {type: array, items: {type: string}}"),
    "handy": ("retries: 1", "tools: [raises, hangs, blocks, huge, odd, leaves]"),
    "last": (),
}
FLOWS = f"""
flows:
  loop:
    sequence:
      - agent: drafter
        max_visits: 3
      - agent: judge
        on: {{reject: drafter, approve: publisher}}
        max_visits: 3
      - publisher
  fan:
    sequence:
      - drafter
      - parallel:
{"".join(f"          - {{agent: scout, id: scout-{n}}}{chr(10)}" for n in range(SCOUTS))}
      - closer
  each:
    sequence:
      - lister
      - agent: worker
        for_each: items
        max_items: 10
      - closer
  inner:
    sequence: [drafter, publisher]
  nested:
    sequence: [first, {{flow: inner}}, closer]
  gated:
    sequence:
      - agent: drafter
        max_visits: 3
      - human: sign_off
        question: May it be published?
        actions: [publish, rework]
        on: {{rework: drafter}}
        max_visits: 3
      - publisher
  {
    "".join(
        f"{n}:{chr(10)}    sequence: [first, {n}, last]{chr(10)}  "
        for n in ("breaks", "again", "late", "shaped", "handy")
    )
}
"""
TOOLS = """
import sys
import time

import anyio


def raises() -> str:
    \"\"\"Fails.\"\"\"
    raise ZeroDivisionError("on purpose")


async def hangs() -> None:
    \"\"\"Never answers.\"\"\"
    await anyio.sleep_forever()


def blocks() -> None:
    \"\"\"Sits in its thread.\"\"\"
    time.sleep(1.5)


def huge() -> str:
    \"\"\"Returns megabytes.\"\"\"
    return "x" * 5_000_000


def odd() -> str:
    \"\"\"Returns what is no text.\"\"\"
    return "\\ud800"


def leaves() -> None:
    \"\"\"Wants the process to end.\"\"\"
    sys.exit(3)
"""
NAMES = ("raises", "hangs", "blocks", "huge", "odd", "leaves")
TOOLS_YAML = "".join(f"{n}: {{module: trouble, call: {n}, timeout: 1}}\n" for n in NAMES)
SETTINGS = "llm: {retries: 2, timeout: 20, first_token_timeout: 10}\n"


def write_project(root: Path) -> Project:
    """The sample's sources and ours."""
    shutil.copytree(ROOT / "bmad", root / "bmad")
    files = {f"agents/{name}.md": _agent(name, *more) for name, more in AGENTS.items()}
    files |= {"workflows/ours.yaml": FLOWS, "tools/trouble.py": TOOLS}
    files["tools.yaml"] = (ROOT / "bmad/tools.yaml").read_text("utf-8") + TOOLS_YAML
    project = Project(root).write(files)
    return project.write({"runtime.yaml": SETTINGS}, under="config")


@dataclass
class Wired:
    """One service, the faulty server before it, and the stand-in behind that."""

    provider: str
    service: Service
    faulty: Faulty
    aimock: StandIn
    story: str = field(default_factory=lambda: f"S-{next(_numbers)}")

    def post(self, flow: str, **more: Any) -> httpx2.Response:
        body = {"flow": flow, "input": "an idea", "story_id": self.story, **more}
        return self.service.client.post("/run", json=body)

    def stream(self, flow: str) -> list[dict[str, Any]]:
        """The events of a run that is followed."""
        body = {"flow": flow, "input": "an idea", "story_id": self.story}
        text = self.service.client.post("/run", json=body, headers=EVENTS).text
        lines = [line.removeprefix("data: ") for line in text.split("\n")]
        return [json.loads(line) for line in lines if line.startswith("{")]

    def asked(self) -> list[str]:
        """Whose prompts the stand-in has seen, in order."""
        found = []
        for entry in self.aimock.journal():
            system = str(entry["body"]["messages"][0]["content"])
            found.append(next((name for name in AGENTS if says(name) in system), "sample"))
        return found

    def measured(self) -> dict[str, float]:
        """The metrics that have no labels."""
        text = self.service.client.get("/metrics").text
        lines = (line.split(" ") for line in text.splitlines() if line[0] != "#")
        return {name: float(value) for name, value in lines if "{" not in name}

    def settle(self) -> tuple[float, int]:
        """Wait until nothing goes on; the tasks and the open files that are left then.

        Files of memory are not counted: a number of them stays open for the next use.
        """
        self.service.wait_until(lambda: self.faulty.open == 0)
        self.service.wait_until(lambda: self.measured()["bmad_runs_active"] == 0)
        tasks = self.measured()["bmad_tasks"]
        folder = Path(f"/proc/{self.service.pid}/fd")  # Linux has it
        names = map(_target, folder.iterdir() if folder.is_dir() else ())
        return tasks, sum("/memory/" not in name for name in names)


def _target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:
        return ""


def answers(*special: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Fixtures of the stand-in: these first, then an answer for everyone."""
    return [*special, {"match": {}, "response": {"content": "Some Markdown."}}]


def fixture(name: str, content: str | Mapping[str, Any], **match: Any) -> dict[str, Any]:
    """What an agent is answered: a text, or a response in the stand-in's own form."""
    response = {"content": content} if isinstance(content, str) else content
    return {"match": {"systemMessage": says(name), **match}, "response": response}


def serve_all(folder: Path, aimock: StandIn) -> Iterator[Sequence[Wired]]:
    """Compile once; a service for each provider, each with data of its own."""
    project = write_project(folder)
    project.generate()
    faulty = Faulty(parts(aimock.base_url))
    faulty.start()
    with contextlib.ExitStack() as running:
        running.callback(faulty.stop)
        made = []
        for provider, environment in wires(faulty):
            data = {"BMAD_DATA_DIR": str(folder / provider), **environment}
            child = Service(project.root, log=folder / f"{provider}.log", environment=data)
            running.callback(child.stop)
            made.append(Wired(provider, child, faulty, aimock))
        for each in made:
            each.service.wait_until_live()
        yield made
