"""An agent as it is declared: the class says who it is, the instance where it stands."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, Protocol

from .budget import Budget
from .context import FlowContext
from .prompt import system_text
from .runner import Ticket
from .step import StepNode

# What a place in a flow may set for itself, over what its agent's class says.
PLACE_SETTINGS: Final = frozenset(
    {"creates", "actions", "output", "model", "fallback", "temperature", "max_tokens"}
    | {"timeout", "retries", "memory_scope", "memory_recall", "budget"}
    | {"note", "shows", "template"}
)


class Group(Protocol):
    """What a member asks of the group that it stands in."""

    def added(self, member: Agent, context: FlowContext) -> Mapping[str, Any]:
        """What those that `member` waited for wrote into its scope since the group started."""


class Agent(StepNode):
    """What is the same at each visit.

    `id` is the agent's, `step` the place's: the same unless the constructor's `id` says otherwise.
    Document names are without `.md`; `timeout` is in seconds; `retries` counts all attempts;
    `output` is the JSON Schema of its answer; `memory_recall` says how many older entries it is
    shown. `required` documents are waited for, `reads` are shown if they are there; `shows` are
    assets that are part of the message, `template` is that of the document which the step
    creates. A place's own settings win over the class's.
    """

    id: str = ""
    prompt: str = ""
    persona: str = ""
    tools: tuple[str, ...] = ()
    memory_scope: str = "isolated"
    memory_recall: int = 0
    wait_for_docs: tuple[str, ...] = ()
    wait_for_agents: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    assets: tuple[str, ...] = ()
    inline: tuple[str, ...] = ()
    commands: tuple[tuple[Any, ...], ...] = ()  # (name, text), and the assets that go with it
    creates: str | None = None
    template: str | None = None
    note: str = ""
    shows: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    output: Mapping[str, Any] | None = None
    model: str | None = None
    fallback: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    timeout: float | None = None
    retries: int | None = None
    budget: Budget | None = None
    system: str = ""
    prompt_digest: str = ""
    # What a group tells its members; class attributes as long as nobody does.
    group: Group | None = None
    reserved: Ticket | None = None

    def __init__(
        self,
        *,
        id: str | None = None,
        requires: tuple[str, ...] = (),
        reads: tuple[str, ...] = (),
        when: str | None = None,
        max_visits: int | None = None,
        for_each: tuple[str, ...] = (),
        max_items: int | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(id or self.id, when=when, max_visits=max_visits)
        self.required = self.wait_for_docs + requires if requires else self.wait_for_docs
        self.for_each = for_each
        self.max_items = max_items
        for name, value in settings.items():
            if name not in PLACE_SETTINGS:
                raise TypeError(f"{type(self).__name__}() has no setting {name!r}")
            setattr(self, name, value)
        if reads:
            self.reads = self.reads + reads
        if "actions" in settings:
            self.system = system_text(self.persona, self.prompt, self.actions)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.system = system_text(cls.persona, cls.prompt, cls.actions)
        cls.prompt_digest = sha256(cls.prompt.encode("utf-8", "surrogatepass")).hexdigest()

    @classmethod
    def describe(cls) -> str:
        """The agent's description: its module's docstring."""
        return sys.modules[cls.__module__].__doc__ or ""

    @classmethod
    def errand(cls, name: str) -> tuple[str, tuple[str, ...]]:
        """A command's text, its name where it has none, and the assets that go with it."""
        for known, text, *shows in cls.commands:
            if known == name:
                return text or name, shows[0] if shows else ()
        return name, ()

    def scope(self, context: FlowContext) -> str:
        """Where it reads and writes memory: `{agent_id}:{story_id}` or `shared:{namespace}`."""
        if self.memory_scope == "isolated":
            return f"{self.id}:{context.story_id}"
        return self.memory_scope
