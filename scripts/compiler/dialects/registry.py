"""The readers of foreign forms, in the order in which a tree is shown to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from ...runtime import spec
from ..diagnostics import Diagnostics, quoted
from . import neighbours, v3, v4, v6
from .draft import Draft
from .tree import ForeignTree


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
    ids = {spec.id_key(agent.id) for agent in one.agents}
    renamed = {}
    for agent in other.agents:
        if spec.id_key(agent.id) in ids:
            renamed[agent.id] = f"{other.dialect}-{agent.id}"[: spec.MAX_ID]
            message = (
                f"the id {quoted(agent.id)} is taken: this agent is {quoted(renamed[agent.id])}"
            )
            at = tree.at(agent.at.path, agent.at.line, agent.at.column)
            diagnostics.add("BMAD607", at, message, "rename one of them to choose the id yourself")
            agent.id = renamed[agent.id]
    names = {spec.id_key(flow.name) for flow in one.flows}
    for flow in other.flows:
        if spec.id_key(flow.name) in names:
            flow.name = f"{other.dialect}-{flow.name}"[: spec.MAX_ID]
        for step in flow.steps:
            if step.keys.get("agent") in renamed:
                step.keys["agent"] = renamed[step.keys["agent"]]
    return Draft(
        f"{one.dialect}+{other.dialect}",
        [*one.agents, *other.agents],
        [*one.flows, *other.flows],
        other.files | one.files,
        [*one.accounts, *other.accounts],
        one.taken | other.taken,
    )
