"""The readers of foreign forms, in the order in which a tree is shown to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from ...runtime import spec
from ..diagnostics import Diagnostics, quoted
from . import neighbours, v3, v4, v6
from .draft import Draft
from .tree import ForeignTree
from .untaken import untaken


class Reader(NamedTuple):
    """`recognises` gives the reason why a tree is of this form, empty if it is not.

    `read` takes all that it knows of, and names that in the draft; what one reader has taken
    is not shown to the next.
    """

    name: str
    recognises: Callable[[ForeignTree], str]
    read: Callable[[ForeignTree, Diagnostics], Draft]


READERS: Final = (
    Reader("bmad-v4", v4.recognises, v4.read),
    Reader("bmad-v6", v6.recognises, v6.read),
    Reader("bmad-v3", v3.recognises, v3.read),
    Reader("crewai", neighbours.is_crew, neighbours.read_crew),
    Reader("neighbour", neighbours.has_agents, neighbours.read_agents),
    Reader("prose", neighbours.is_prose, neighbours.read_prose),
)


def joined(one: Draft, other: Draft, tree: ForeignTree, diagnostics: Diagnostics) -> Draft:
    """Both drafts as one. An agent, flow or file of a taken name gets the other dialect's first."""
    agents = [agent.id for agent in one.agents], [agent.id for agent in other.agents]
    flows = [flow.name for flow in one.flows], [flow.name for flow in other.flows]
    new_agents = _renamed(*agents, other.dialect)
    new_flows = _renamed(*flows, other.dialect)
    for agent in other.agents:
        if agent.id in new_agents:
            new = new_agents[agent.id]
            message = f"the id {quoted(agent.id)} is taken: this agent is {quoted(new)}"
            at = tree.at(agent.at.path, agent.at.line, agent.at.column)
            diagnostics.add("BMAD607", at, message, "rename one of them to choose the id yourself")
            agent.id = new
    for flow in other.flows:
        if flow.name in new_flows:
            new = new_flows[flow.name]
            message = f"the flow {quoted(flow.name)} is there already: this is {quoted(new)}"
            at = tree.at(flow.at.path, flow.at.line, flow.at.column)
            diagnostics.add("BMAD607", at, message, "rename one of them to choose the name")
            flow.name = new
        for step in flow.steps:
            _follow(step.keys, new_agents, new_flows)
    return Draft(
        f"{one.dialect}+{other.dialect}",
        [*one.agents, *other.agents],
        [*one.flows, *other.flows],
        other.files | one.files,
        [*one.accounts, *other.accounts],
        one.taken | other.taken,
    )


def _renamed(ones: list[str], others: list[str], dialect: str) -> dict[str, str]:
    """New names for those of `others` that `ones` have as well; nobody has them."""
    taken = {spec.id_key(name) for name in ones}
    known = taken | {spec.id_key(name) for name in others}
    found: dict[str, str] = {}
    for name in others:
        if spec.id_key(name) in taken:
            found[name] = untaken(known, f"{dialect}-{name}"[: spec.MAX_ID].rstrip("-_"))
            known.add(spec.id_key(found[name]))
    return found


def _follow(keys: dict[str, Any], agents: dict[str, str], flows: dict[str, str]) -> None:
    """Let a step, and the members of a group, name what was renamed; its own id stays."""
    for key, names in (("agent", agents), ("flow", flows)):
        if keys.get(key) in names:
            keys.setdefault("id", keys[key])
            keys[key] = names[keys[key]]
    for member in keys.get("parallel", ()):
        _follow(member, agents, flows)
