"""A process that runs stories to their end, as often as it takes, and asks a server for answers.

python -m tests.faults.runs_child FOLDER PORT always|commit LIFE STORY...
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Literal, cast

from scripts.runtime.executor import Executor, RunRequest
from scripts.runtime.flow import AnyFlow, Flow
from scripts.runtime.group import ParallelGroup
from scripts.runtime.models.protocol import ModelReply, ModelRequest
from scripts.runtime.services import Services
from scripts.runtime.stores.memory import FileMemory
from scripts.runtime.stores.runfile import FileRuns
from tests.faults.writer import say
from tests.runtime.agents import agent, chain

# Each step with those that must be on disk before it may be asked.
BEFORE = {
    "plan": (),
    "left": ("plan",),
    "right": ("plan",),
    "merge": ("left", "right"),
    "check": ("merge",),
    "write": ("check",),
}


class Asking:
    """A model that sends `life story step` to the server and waits for its line."""

    provider = "asking"
    name = "asking"
    structured = False

    def __init__(self, port: int, life: str) -> None:
        self.port = port
        self.life = life

    async def complete(self, request: ModelRequest) -> ModelReply:
        story = request.messages[0].content.rpartition("story=")[2].split()[0]
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(f"{self.life} {story} {request.step}\n".encode())
            answer = await reader.readline()
        finally:
            writer.close()
        return ModelReply(answer.decode().strip() * 100)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[str | ModelReply, None]:
        yield await self.complete(request)

    async def close(self) -> None:
        return


def build() -> AnyFlow:
    nodes = {name: agent(name)() for name in BEFORE}
    group = ParallelGroup(nodes["left"], nodes["right"])
    return chain(nodes["plan"], group, nodes["merge"], nodes["check"], nodes["write"])


async def run(flows: Executor, story: str) -> dict[str, Any]:
    return await flows.start(RunRequest("default", f"story={story} ", story)).wait()


async def main(folder: Path, port: int, durability: str, life: str, stories: list[str]) -> None:
    kind = cast(Literal["commit", "always"], durability)
    memory = FileMemory(folder / "memory", kind)
    services = Services(model=Asking(port, life), memory=memory)
    runs = FileRuns(folder / "memory" / "runs", kind)
    flows = Executor(services, {"default": Flow("default", build)}, (), runs)
    say("ready")
    answers = await asyncio.gather(*(run(flows, story) for story in stories))
    for story, answer in zip(stories, answers, strict=True):
        assert answer["status"] == "success", answer
        assert set(answer["results"]) == set(BEFORE), answer
        for step, output in answer["results"].items():
            assert output == f"{step}-of-{story}" * 100
        say(f"{story} {answer['run_id']}")


if __name__ == "__main__":
    place, number, how, count, *names = sys.argv[1:]
    asyncio.run(main(Path(place), int(number), how, count, names))
