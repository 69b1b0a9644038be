"""The native dialect's agents: front-matter keys into an Agent."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from ...runtime import spec
from ...runtime.yamltext import Mapping, Node, Scalar
from ..diagnostics import Diagnostics, Position, quoted
from ..model import Agent, Asset, Command
from .assets import BOUND, read_assets, read_bound, read_output, read_template
from .fields import ID_HINT, Fields
from .tuning import read_tuning

# In the order in which the guide explains them; spelled once, used by steps as well.
KEYS: Final = (
    "id",
    "description",
    "tools",
    "memory_scope",
    "memory_recall",
    "wait_for",
    "reads",
    "parallel",
    "persona",
    "tasks",
    "templates",
    "checklists",
    "data",
    "commands",
    "creates",
    "template",
    "actions",
    "output",
    "model",
    "fallback",
    "temperature",
    "max_tokens",
    "timeout",
    "retries",
    "budget",
)
RESERVED_ACTIONS: Final = frozenset({"default"})  # PocketFlow's word for the plain order
_ELSEWHERE: Final = {
    key: f"did you mean wait_for.{key}? Indent it under wait_for" for key in ("docs", "agents")
}
_ID_LINE: Final = re.compile(r"^id:[ \t]*([A-Za-z0-9_-]+)", re.MULTILINE)


class AgentFile(NamedTuple):
    """Where an agent comes from: `path` for people, `name` for headers, `stem` its id."""

    path: str
    name: str
    stem: str


def placeholder(file: AgentFile, yaml: str = "", first_line: int = 1) -> Agent:
    """Stands for an agent whose file is broken, so that others may still refer to it.

    `first_line` is the line of the file on which `yaml` begins.
    """
    at = {"": Position(file.path, 1, 1)}
    agent_id = file.stem
    if written := _ID_LINE.search(yaml):
        agent_id = written[1]
        column = written.start(1) - written.start() + 1
        at["id"] = Position(file.path, yaml.count("\n", 0, written.start()) + first_line, column)
    return Agent(id=agent_id, path=file.name, prompt="", at=at, is_unread=True)


def read_agent(file: AgentFile, node: Mapping, prompt: str, diagnostics: Diagnostics) -> Agent:
    """The agent of a file whose front-matter is `node`; what is refused has its default."""
    fields = Fields(node, file.path, diagnostics)
    fields.check_keys(KEYS, (), "in an agent", _ELSEWHERE)
    at = {key: fields.at(key) for key in fields.keys}
    at[""] = Position(file.path, 1, 1)
    tools = fields.texts("tools")
    waits = fields.mapping("wait_for", "write wait_for: {agents: […], docs: […]}")
    wait_docs, wait_agents = _read_waits(waits)
    for key, nodes in (
        ("tools", tools),
        ("wait_for.docs", wait_docs),
        ("wait_for.agents", wait_agents),
    ):
        at |= {f"{key}/{text}": fields.place(item) for text, item in nodes.items()}
    assets = read_assets(fields)
    commands, bound = _read_commands(fields)
    for path, item in bound.items():
        assets.setdefault(Asset(path), item)
    at |= {asset.path: fields.place(item) for asset, item in assets.items()}
    output, output_file = read_output(fields)
    template = read_template(fields)
    if template is not None:
        assets.setdefault(Asset(template), fields.values["template"])
        at[template] = fields.at("template")
    return Agent(
        id=_read_id(fields, file.stem),
        path=file.name,
        prompt=prompt,
        description=fields.line("description") or "",
        persona=fields.text("persona") or "",
        tools=tuple(tools),
        wait_for_docs=tuple(wait_docs),
        wait_for_agents=tuple(wait_agents),
        reads=tuple(fields.documents("reads")),
        parallel=fields.boolean("parallel") or False,
        assets=tuple(assets),
        commands=commands,
        creates=fields.document("creates"),
        template=template,
        actions=read_actions(fields),
        output=output,
        output_file=output_file,
        at=at,
        **read_tuning(fields),
    )


def _read_id(fields: Fields, stem: str) -> str:
    written = fields.text("id")
    agent_id = stem if written is None else written
    at = fields.at("id") if written is not None else Position(fields.path, 1, 1)
    if written is None and "id" in fields.values:
        return stem  # its type was reported
    check_agent_id(agent_id, at, fields.diagnostics, from_file=written is None)
    return agent_id


def check_agent_id(
    agent_id: str, at: Position, diagnostics: Diagnostics, *, from_file: bool
) -> None:
    """Report an id that does not fit or is reserved."""
    if not spec.is_id(agent_id):
        message = f"{quoted(agent_id)} cannot be an agent's id"
        hint = f"rename the file or give the agent an id; {ID_HINT}" if from_file else ID_HINT
        diagnostics.add("BMAD111", at, message, hint)
    elif spec.id_key(agent_id) in spec.RESERVED_AGENT_IDS:
        hint = "choose another id: shared memory has this name"
        diagnostics.add("BMAD111", at, f"the id {quoted(agent_id)} is reserved", hint)


def _read_waits(fields: Fields | None) -> tuple[dict[str, Node], dict[str, Node]]:
    if fields is None:
        return {}, {}
    fields.check_keys(("docs", "agents"), (), 'in "wait_for"')
    return fields.documents("docs"), fields.texts("agents")


def _read_commands(fields: Fields) -> tuple[tuple[Command, ...], dict[str, Node]]:
    """The commands, and the files that go with them, each with its place."""
    commands: dict[str, Command] = {}
    bound: dict[str, Node] = {}
    for item in fields.items("commands", "write a list of names, or of name: text"):
        command = _read_command(fields, item, bound)
        if command is None:
            continue
        if command.name in commands:
            message = f'the command {quoted(command.name)} stands twice in "commands"'
            fields.add("BMAD110", item, message, "keep one")
        commands.setdefault(command.name, command)
    return tuple(commands.values()), bound


def _read_command(fields: Fields, item: Node, bound: dict[str, Node]) -> Command | None:
    name_node, text, shows = item, "", dict[str, Node]()
    if isinstance(item, Mapping):
        if len(item.entries) != 1:
            hint = "write one item for each command: - name: text"
            fields.add("BMAD109", item, "a command is one name with one text", hint)
            return None
        name_node, text_node = item.entries[0]
        if isinstance(text_node, Mapping):
            own = Fields(text_node, fields.path, fields.diagnostics)
            own.check_keys(("text", *BOUND), (), "in a command")
            text, shows = own.text("text") or "", read_bound(own)
        elif not (isinstance(text_node, Scalar) and text_node.value is None):
            text = fields.text_of("commands", text_node) or ""
        name: str | None = name_node.text
    else:
        name = fields.text_of("commands", item)
    if name is None:
        return None
    name = name.removeprefix("*")
    if not spec.is_id(name):
        message = f"{quoted(name)} cannot name a command"
        fields.add("BMAD111", name_node, message, ID_HINT)
        return None
    bound |= {path: node for path, node in shows.items() if path not in bound}
    return Command(name, text, tuple(shows))


def read_actions(fields: Fields) -> tuple[str, ...]:
    """The outcomes between which an agent or a person chooses."""
    actions = fields.ids("actions", "an action")
    for action, node in actions.items():
        if action in RESERVED_ACTIONS:
            message = f"the action {quoted(action)} is reserved"
            fields.add("BMAD110", node, message, "choose another word")
    return tuple(actions)
