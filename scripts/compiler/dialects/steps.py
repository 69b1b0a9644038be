"""The native dialect's steps: an agent's place, a gate, another flow."""

from __future__ import annotations

from typing import Any, Final

from ...runtime import spec
from ...runtime.condition import ConditionFault, parse
from ...runtime.yamltext import Mapping, Node
from ..diagnostics import Position, quoted
from ..model import DEFAULT_ACTIONS, AgentStep, Gate, Step, Subflow, Tuning
from . import native, tuning
from .assets import BOUND, read_bound, read_output
from .fields import ID_HINT, Fields

COMMON: Final = ("id", "when", "on", "max_visits")
AGENT_KEYS: Final = (
    "agent",
    *COMMON,
    "requires",
    "reads",
    "creates",
    "note",
    *BOUND,
    "actions",
    "output",
    "for_each",
    "max_items",
    *tuning.KEYS,
)
NOT_YET: Final = frozenset(native.KEYS).difference(AGENT_KEYS)
GATE_KEYS: Final = ("human", *COMMON, "question", "actions")
FLOW_KEYS: Final = ("flow", "id", "when", "max_visits", "for_each", "max_items")
MAX_VISITS: Final = 1_000
MAX_ITEMS: Final = 100_000


def read_step(parent: Fields, node: Node) -> Step | None:
    """One entry of a sequence that is no group; None when it was refused."""
    if not isinstance(node, Mapping):
        name = parent.text_of("sequence", node, "write an agent's id, or agent: <id>")
        return None if name is None else AgentStep(name, name, at=parent.place(node))
    fields = Fields(node, parent.path, parent.diagnostics)
    if "human" in fields.keys:
        return _read_gate(fields)
    if "flow" in fields.keys:
        return _read_subflow(fields)
    return _read_agent_step(fields)


def _read_agent_step(fields: Fields) -> AgentStep | None:
    fields.check_keys(AGENT_KEYS, NOT_YET, "in a step")
    agent = fields.text("agent")
    if agent is None:
        if "agent" not in fields.keys:
            hint = "write agent: <id>, human: <name> or flow: <name>"
            fields.add("BMAD109", fields.node, 'a step has no "agent"', hint)
        elif "agent" not in fields.values:
            _report_empty(fields, "agent")
        return None
    requires = fields.documents("requires")
    shows = read_bound(fields)
    common = _read_common(fields, agent, "agent")
    common["places"] |= {f"requires/{name}": fields.place(item) for name, item in requires.items()}
    common["places"] |= {path: fields.place(item) for path, item in shows.items()}
    output, output_file = read_output(fields)
    if "checklist" in fields.values and "output" not in fields.values:
        output = spec.VERDICT
    templates = [path for path in shows if path.startswith(f"{BOUND['template']}/")]
    return AgentStep(
        agent=agent,
        requires=tuple(requires),
        reads=tuple(fields.documents("reads")),
        note=fields.text("note") or "",
        shows=tuple(shows),
        template=templates[0] if len(templates) == 1 else None,
        actions=native.read_actions(fields),
        output=output,
        output_file=output_file,
        creates=fields.document("creates"),
        for_each=fields.line("for_each"),
        max_items=fields.integer("max_items", 1, MAX_ITEMS),
        tuning=Tuning(**tuning.read_tuning(fields)),
        **common,
    )


def _read_gate(fields: Fields) -> Gate | None:
    fields.check_keys(GATE_KEYS, (), "in a gate")
    name = fields.text("human")
    if name is None:
        if "human" not in fields.values:
            _report_empty(fields, "human")
        return None
    if "id" not in fields.values:
        _check_id(fields, "human", name)
    return Gate(
        question=fields.text("question") or "",
        actions=native.read_actions(fields) or DEFAULT_ACTIONS,
        **_read_common(fields, name, "human"),
    )


def _read_subflow(fields: Fields) -> Subflow | None:
    fields.check_keys(FLOW_KEYS, (), "in a flow's step")
    name = fields.text("flow")
    if name is None:
        if "flow" not in fields.values:
            _report_empty(fields, "flow")
        return None
    return Subflow(
        flow=name,
        for_each=fields.line("for_each"),
        max_items=fields.integer("max_items", 1, MAX_ITEMS),
        **_read_common(fields, name, "flow"),
    )


def _report_empty(fields: Fields, key: str) -> None:
    what = "id" if key == "agent" else "name"
    fields.add("BMAD109", fields.node, f"{quoted(key)} is empty", f"write {key}: <{what}>")


def _read_common(fields: Fields, name: str, key: str) -> dict[str, Any]:
    """What every step has, by the names of its fields; `name` stands under `key`."""
    on = _read_on(fields)
    places = {key: fields.at(key) for key in fields.keys}
    places |= {f"on/{action}": place for action, (_, place) in on.items()}
    written = fields.text("id")
    if written is not None:
        _check_id(fields, "id", written)
    return {
        "id": name if written is None else written,
        "on": tuple((action, target) for action, (target, _) in on.items()),
        "when": _read_when(fields),
        "max_visits": fields.integer("max_visits", 1, MAX_VISITS),
        "at": fields.at(key),
        "places": places,
    }


def _check_id(fields: Fields, key: str, name: str) -> None:
    if not spec.is_id(name):
        fields.add("BMAD111", fields.values[key], f"{quoted(name)} cannot name a step", ID_HINT)


def _read_on(fields: Fields) -> dict[str, tuple[str, Position]]:
    on = fields.mapping("on", "write on: {action: step}")
    if on is None:
        return {}
    targets: dict[str, tuple[str, Position]] = {}
    for key, value in on.node.entries:
        target = on.text_of(key.text, value, "name the step that follows, or end")
        if target is not None:
            targets[key.text] = (target, on.place(value))
    return targets


def _read_when(fields: Fields) -> str | None:
    when = fields.text("when", 'write a condition, such as when: inputs.depth == "full"')
    if when is None:
        return None
    try:
        return parse(when.strip()).text
    except ConditionFault as fault:
        message = f"the condition cannot be read: {fault.message}, at its character {fault.column}"
        hint = 'compare inputs, results and story_id: inputs.depth == "full" and not results.x.y'
        fields.add("BMAD309", fields.values["when"], message, hint)
        return None
