"""A project as the compiler understands it: frozen, and valid where no error was found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .diagnostics import Position


@dataclass(frozen=True, slots=True)
class Command:
    """A named thing that a client may ask of an agent."""

    name: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Agent:
    """One Markdown file, `path` beginning with the source folder's name.

    `at` maps a front-matter key (and `""`, the file; and `tools/x`, an item) to its place.

    Document names are without `.md`. None means: the runtime's default.
    """

    id: str
    path: str
    prompt: str
    description: str = ""
    persona: str = ""
    tools: tuple[str, ...] = ()
    memory_scope: str = "isolated"
    wait_for_docs: tuple[str, ...] = ()
    wait_for_agents: tuple[str, ...] = ()
    parallel: bool = False
    commands: tuple[Command, ...] = ()
    creates: str | None = None
    actions: tuple[str, ...] = ()
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    timeout: float | None = None
    retries: int | None = None
    at: dict[str, Position] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Tool:
    """A function from tools.yaml; `source` is its file in the sources, None when installed.

    `parameters` is the JSON Schema that the model sees.
    """

    name: str
    module: str
    call: str
    description: str
    parameters: dict[str, Any]
    timeout: float | None = None
    source: str | None = None
    at: Position = field(default=Position(""), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Step:
    """An agent's place in a flow, with this place's own settings.

    `requires` is added to the agent's own documents; `creates` stands instead of the agent's.
    `places` maps a key (`creates`, `on/approve`, `requires/prd`) to its place.
    """

    id: str
    agent: str
    requires: tuple[str, ...] = ()
    creates: str | None = None
    on: tuple[tuple[str, str], ...] = ()
    max_visits: int | None = None
    at: Position = field(default=Position(""), compare=False, repr=False)
    places: dict[str, Position] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Group:
    """Steps that run beside each other, each as soon as what it waits for is done."""

    members: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Edge:
    """From a step to the next; `action` is empty for the plain order, `target` may be `end`."""

    source: str
    target: str
    action: str = ""


@dataclass(frozen=True, slots=True)
class Flow:
    """Stages in the order of running. `path` is the file it was written in, empty when derived."""

    name: str
    stages: tuple[Step | Group, ...]
    description: str = ""
    on_missing_doc: str | None = None
    path: str = ""
    at: Position = field(default=Position(""), compare=False, repr=False)

    def steps(self) -> tuple[Step, ...]:
        """Every step, in file order."""
        found: list[Step] = []
        for stage in self.stages:
            found.extend(stage.members if isinstance(stage, Group) else (stage,))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Project:
    """Everything that was read. Agents are sorted by id, flows and tools stand in file order.

    `root` is the source folder's own name; the paths of agents, flows and tools begin with it.
    `tool_files` maps a path below `tools/` to the author's module, byte for byte.
    """

    root: str
    agents: tuple[Agent, ...]
    flows: tuple[Flow, ...]
    tools: tuple[Tool, ...] = ()
    tool_files: dict[str, bytes] = field(default_factory=dict)

    def agent(self, agent_id: str) -> Agent:
        """The agent of that id; KeyError when there is none."""
        for agent in self.agents:
            if agent.id == agent_id:
                return agent
        raise KeyError(agent_id)
