"""A project as the compiler understands it: frozen, and valid where no error was found."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Final, Literal

from .diagnostics import Position


@dataclass(frozen=True, slots=True)
class Command:
    """A named thing that a client may ask of an agent; `shows` are assets that go with it."""

    name: str
    text: str = ""
    shows: tuple[str, ...] = ()


AssetKind = Literal["tasks", "templates", "checklists", "data"]
DEFAULT_ACTIONS: Final = ("approve", "reject")  # of a gate
ASSET_KINDS: Final[tuple[AssetKind, ...]] = ("tasks", "templates", "checklists", "data")


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that an agent may read, or (`inline`) has in its prompt; `path` as in `tasks/x.md`."""

    path: str
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Budget:
    """An agent's ceiling in one run; None: no ceiling."""

    tokens: int | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What an agent sets, and a step may set otherwise. None: the runtime's or the agent's own.

    `timeout` is in seconds, `retries` counts all attempts.
    """

    memory_scope: str | None = None
    memory_recall: int | None = None
    model: str | None = None
    fallback: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    timeout: float | None = None
    retries: int | None = None
    budget: Budget | None = None


@dataclass(frozen=True, slots=True)
class Agent(Tuning):
    """One Markdown file, `path` beginning with the source folder's name.

    `output` is a JSON Schema; `output_file` where it was read from, below the source folder.
    `at` maps a front-matter key (and `""`, the file; and `tools/x`, an item) to its place.
    `reads` are documents that it is shown if they are there, `template` that of the document it
    creates. Document names are without `.md`. `is_unread` marks one that stands for a broken file.
    """

    id: str
    path: str
    prompt: str
    _: KW_ONLY
    description: str = ""
    persona: str = ""
    tools: tuple[str, ...] = ()
    wait_for_docs: tuple[str, ...] = ()
    wait_for_agents: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    parallel: bool = False
    assets: tuple[Asset, ...] = ()
    commands: tuple[Command, ...] = ()
    creates: str | None = None
    template: str | None = None
    actions: tuple[str, ...] = ()
    output: dict[str, Any] | None = None
    output_file: str | None = None
    is_unread: bool = False
    at: dict[str, Position] = field(default_factory=dict, compare=False, repr=False)

    def says(self, key: str) -> bool:
        """Whether `key` is known: the file was read, and what it says of it was not refused."""
        return not self.is_unread and (key not in self.at or bool(getattr(self, key)))


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
    """A place in a flow. `when` is the condition as it was written.

    `places` maps a key (`creates`, `on/approve`, `requires/prd`) to its place.
    """

    id: str
    _: KW_ONLY
    on: tuple[tuple[str, str], ...] = ()
    when: str | None = None
    max_visits: int | None = None
    at: Position = field(default=Position(""), compare=False, repr=False)
    places: dict[str, Position] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class AgentStep(Step):
    """An agent's place in a flow, with this place's own settings.

    `requires` and `reads` are added to the agent's own documents; `creates`, `actions` and
    `output` stand instead of the agent's. `for_each` names the list that it runs over, once an
    item. `note` says what is to be done here, `shows` are the assets that it is shown for it;
    `template`, one of them, is that of the document it creates.
    """

    agent: str
    requires: tuple[str, ...] = ()
    creates: str | None = None
    _: KW_ONLY
    reads: tuple[str, ...] = ()
    note: str = ""
    shows: tuple[str, ...] = ()
    template: str | None = None
    actions: tuple[str, ...] = ()
    output: dict[str, Any] | None = None
    output_file: str | None = None
    for_each: str | None = None
    max_items: int | None = None
    tuning: Tuning = field(default=Tuning())


@dataclass(frozen=True, slots=True)
class Gate(Step):
    """Where a person decides."""

    question: str = ""
    actions: tuple[str, ...] = DEFAULT_ACTIONS


@dataclass(frozen=True, slots=True)
class Subflow(Step):
    """Another flow as one step; with `for_each` once for each item of that list, in order."""

    flow: str
    _: KW_ONLY
    for_each: str | None = None
    max_items: int | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Agents that run beside each other, each as soon as what it waits for is done."""

    members: tuple[AgentStep, ...]


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
    `tool_files` maps a path below `tools/` to the author's module, byte for byte; `referred`
    a path below the source folder to a file that an agent names: its assets and schemas.
    """

    root: str
    agents: tuple[Agent, ...]
    flows: tuple[Flow, ...]
    tools: tuple[Tool, ...] = ()
    tool_files: dict[str, bytes] = field(default_factory=dict)
    referred: dict[str, bytes] = field(default_factory=dict)

    def agent(self, agent_id: str) -> Agent:
        """The agent of that id; KeyError when there is none."""
        for agent in self.agents:
            if agent.id == agent_id:
                return agent
        raise KeyError(agent_id)
