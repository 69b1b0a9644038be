"""How steps follow and wait for each other: the one source of wiring and of graph files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

from ..runtime import spec
from . import cycles
from .diagnostics import Position
from .grouping import Entry, stages
from .model import Agent, AgentStep, Edge, Flow, Gate, Group, Project, Step

START: Final = "start"
END: Final = "end"

Agents = Mapping[str, Agent]
Followers = dict[str, list[str]]
AnyStep = TypeVar("AnyStep", bound=Step)


def by_id(project: Project) -> dict[str, Agent]:
    """The agents by their ids; the first one where an id is taken twice."""
    return {agent.id: agent for agent in reversed(project.agents)}


def required(step: Step, agents: Agents) -> tuple[str, ...]:
    """The documents that a step waits for: its agent's and its own."""
    if not isinstance(step, AgentStep):
        return ()
    agent = agents.get(step.agent)
    own = agent.wait_for_docs if agent else ()
    return tuple(dict.fromkeys((*own, *step.requires)))


def shown(step: Step, agents: Agents) -> tuple[str, ...]:
    """The documents that a step waits for, and those that it reads if they are there."""
    if not isinstance(step, AgentStep):
        return ()
    agent = agents.get(step.agent)
    own = agent.reads if agent else ()
    return tuple(dict.fromkeys((*required(step, agents), *own, *step.reads)))


def created(step: Step, agents: Agents) -> str | None:
    """The document that an agent's step creates: its own setting, else its agent's."""
    if not isinstance(step, AgentStep):
        return None
    agent = agents.get(step.agent)
    return step.creates if step.creates is not None or agent is None else agent.creates


def actions(step: Step, agents: Agents) -> tuple[str, ...]:
    """The outcomes between which the step's agent or person chooses."""
    if isinstance(step, Gate):
        return step.actions
    if isinstance(step, AgentStep) and step.actions:
        return step.actions
    agent = agents.get(step.agent) if isinstance(step, AgentStep) else None
    return agent.actions if agent else ()


def output(step: Step, agents: Agents) -> dict[str, Any] | None:
    """The schema of what an agent's step answers: its own, else its agent's."""
    if not isinstance(step, AgentStep):
        return None
    agent = agents.get(step.agent)
    return step.output if step.output is not None or agent is None else agent.output


def members(stage: Step | Group) -> tuple[Step, ...]:
    return stage.members if isinstance(stage, Group) else (stage,)


def stage_id(stage: Step | Group) -> str:
    """What an edge calls a stage: its step's id, for a group that of its first member."""
    return members(stage)[0].id


def edges(flow: Flow, project: Project) -> tuple[Edge, ...]:
    """From stage to stage in file order: actions, then the plain order, with `end` for the last.

    `on` may name any member of a group: the whole group follows.
    """
    return stage_edges(flow, by_id(project))


def stage_edges(flow: Flow, agents: Agents) -> tuple[Edge, ...]:
    """As `edges`; what leads nowhere is left out."""
    homes = {step.id: stage_id(stage) for stage in flow.stages for step in members(stage)}
    homes[END] = END
    following = [stage_id(stage) for stage in flow.stages[1:]] + [END]
    found: list[Edge] = []
    for stage, after in zip(flow.stages, following, strict=False):
        source = stage_id(stage)
        on = stage.on if isinstance(stage, Step) else ()
        found += [Edge(source, homes[to], action) for action, to in on if to in homes]
        if has_plain_order(stage, agents):
            found.append(Edge(source, after))
    return tuple(found)


def has_plain_order(stage: Step | Group, agents: Agents) -> bool:
    """Whether the next one of the sequence may follow: some outcome is not in `on`.

    A step that may be skipped goes on in the plain order, whatever its `on` says.
    """
    if isinstance(stage, Group) or not stage.on or stage.when is not None:
        return True
    if isinstance(stage, AgentStep) and stage.agent not in agents:
        return True
    return not set(actions(stage, agents)) <= {action for action, _ in stage.on}


def group_edges(group: Group, agents: Agents) -> tuple[Edge, ...]:
    """Which member waits for which: by `wait_for.agents`, and for documents by `creates`."""
    of_agent: dict[str, list[str]] = {}
    creators: dict[str | None, list[str]] = {}
    for step in group.members:
        of_agent.setdefault(step.agent, []).append(step.id)
        creators.setdefault(created(step, agents), []).append(step.id)
    found: list[Edge] = []
    for step in group.members:
        agent = agents.get(step.agent)
        names = agent.wait_for_agents if agent else ()
        others = [other for name in names for other in of_agent.get(name, ())]
        others += [other for name in required(step, agents) for other in creators.get(name, ())]
        found += [Edge(other, step.id) for other in dict.fromkeys(others) if other != step.id]
    return tuple(found)


def earlier(flow: Flow, step: Step, agents: Agents) -> list[Step]:
    """The steps that are done when `step` starts, if they run at all; in file order."""
    found: list[Step] = []
    for stage in flow.stages:
        if step not in members(stage):
            found += members(stage)
            continue
        if isinstance(stage, Group):
            before = followers(tuple(Edge(e.target, e.source) for e in group_edges(stage, agents)))
            waited = cycles.reachable(step.id, before) - {step.id}
            found += [member for member in stage.members if member.id in waited]
        break
    return found


def can_come_before(flow: Flow, step: Step, agents: Agents) -> set[str]:
    """The ids of `earlier`, and of what may have run before in a loop."""
    after = followers(stage_edges(flow, agents))
    home = next(stage_id(stage) for stage in flow.stages if step in members(stage))
    found = {other.id for other in earlier(flow, step, agents)}
    for stage in flow.stages:
        if home in cycles.reachable(stage_id(stage), after):
            found |= {member.id for member in members(stage)}
    return found


def followers(found: tuple[Edge, ...]) -> Followers:
    """Who follows whom, without `end`."""
    result: Followers = {}
    for edge in found:
        if edge.target != END:
            result.setdefault(edge.source, []).append(edge.target)
    return result


def looping(flow: Flow, agents: Agents) -> set[str]:
    """The ids of the steps that a run may come to again."""
    after = followers(stage_edges(flow, agents))
    circles = cycles.components([stage_id(stage) for stage in flow.stages], after)
    inside = {name for circle in circles for name in circle}
    return {s.id for stage in flow.stages if stage_id(stage) in inside for s in members(stage)}


def bounded(flow: Flow, project: Project) -> Flow:
    """The flow with the default `max_visits` on each step of a loop that has none."""
    loop = looping(flow, by_id(project))

    def bound(step: AnyStep) -> AnyStep:
        if step.max_visits is not None or step.id not in loop:
            return step
        return replace(step, max_visits=spec.DEFAULT_MAX_VISITS)

    found = [
        Group(tuple(map(bound, stage.members))) if isinstance(stage, Group) else bound(stage)
        for stage in flow.stages
    ]
    return replace(flow, stages=tuple(found))


def waits(agents: Agents, *, through_documents: bool) -> dict[str, set[str]]:
    """Whom each agent waits for, itself left out of what documents say."""
    creators: dict[str, set[str]] = {}
    for agent in agents.values():
        if agent.creates is not None:
            creators.setdefault(agent.creates, set()).add(agent.id)
    found = {}
    for agent in agents.values():
        others = {other for other in agent.wait_for_agents if other in agents}
        if through_documents:
            for document in agent.wait_for_docs:
                others |= creators.get(document, set()) - {agent.id}
        found[agent.id] = others
    return found


def default_flow(agents: tuple[Agent, ...]) -> Flow:
    """All agents, by their longest way of waits, then by id; what waits in a circle comes last."""
    known = {agent.id: agent for agent in reversed(agents)}
    depth = _depths(waits(known, through_documents=True))
    last = len(agents)
    ordered = sorted(known.values(), key=lambda agent: (depth.get(agent.id, last), agent.id))
    entries = [
        Entry(
            AgentStep(
                agent.id,
                agent.id,
                at=agent.at.get("", Position(agent.path)),
                places={key: agent.at[key] for key in ("id",) if key in agent.at},
            ),
            agent.parallel,
        )
        for agent in ordered
    ]
    return Flow("default", stages(entries))


def _depths(waiting_for: Mapping[str, set[str]]) -> dict[str, int]:
    """The longest way of waits that ends at each agent; none for what waits in a circle."""
    unmet = {name: len(others) for name, others in waiting_for.items()}
    after: dict[str, list[str]] = {}
    for name, others in waiting_for.items():
        for other in others:
            after.setdefault(other, []).append(name)
    depth = {name: 0 for name, count in unmet.items() if not count}
    ready = list(depth)
    for name in ready:
        for follower in after.get(name, ()):
            unmet[follower] -= 1
            if not unmet[follower]:
                # Every other one it waits for is deeper in no case: the last to come decides.
                depth[follower] = 1 + max(depth[other] for other in waiting_for[follower])
                ready.append(follower)
    return depth
