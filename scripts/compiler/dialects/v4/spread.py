"""What a step of a workflow becomes: one step, several, a gate, or a word to the next."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ...diagnostics import quoted
from . import commands, documents
from .placing import NOBODY, Placing
from .steps import Source
from .words import joined, sentence, words

_UNCHANGED: Final = "If nothing was found against this document, give it back unchanged."


def place_all(flow: Placing, sources: list[Source]) -> None:
    """Several steps, in order."""
    for number, source in enumerate(sources):
        _place(flow, source, sources[number + 1 :])


def _place(flow: Placing, source: Source, following: list[Source]) -> None:
    """One more step, or several, as it says; `following` are those that come after it."""
    if source.routes:
        if source.agent:
            _place(flow, replace(source, routes=[]), following)
        _routes(flow, source)
        return
    if not source.agent:
        _take_guidance(flow, source)
        return
    what = documents.read(source.updates)
    if what.flagged and source.agent.lower() in NOBODY:
        _fixes(flow, source)
        return
    agent = flow.agent(source, following)
    if agent is None:
        flow.gate(source)
        return
    flow.add(source, agent)
    flow.crew.draft.account(source.at, "step", flow.placed[-1].draft.keys["id"], "carried")


def _take_guidance(flow: Placing, source: Source) -> None:
    """A step that nobody does: told to whoever comes next."""
    name = source.label or source.action or "step"
    draft = flow.crew.draft
    if source.ends or source.repeats_before:
        why = "the flow goes so by itself; what is said beside the mark is told to nobody"
        draft.account(source.at, "marker", name, "approximated", why)
        return
    text = joined(sentence(source), source.note)
    when = f"If {words(source.condition)}: " if source.condition else ""
    if text:
        flow.pending = joined(flow.pending, f"{when}{text}")
    why = "no agent does it: the next step is told"
    draft.account(source.at, "step", name, "approximated", why)
    flow.crew.find(
        "BMAD608",
        source.at,
        f"the step {quoted(name)} has no agent: the next step is told",
        "write agent: <id>, if one shall do it",
    )


def _fixes(flow: Placing, source: Source) -> None:
    """`various` mend what was found fault with: each document by the agent that made it."""
    ids = []
    for made in [each for each in flow.ledger.made if each.agent]:
        agent = next(a for a in flow.crew.agents if a.draft.id == made.agent)
        one = Source(
            source.at,
            agent=agent.own_id,
            note=joined(source.note, _UNCHANGED),
            condition=source.condition,
            optional=source.optional or not made.is_sure,
            updates=[f"{made.name}.md"],
        )
        verdict = flow.verdict_before()
        step_id = flow.unique(commands.fitted(f"{agent.plain}-mends-{made.name}").lower())
        step = flow.add(one, agent, step_id)
        if verdict:
            step.keys["note"] = joined(step.keys["note"], "The findings are among the results.")
            step.keys.setdefault("reads", [])
            step.keys["reads"] = [*step.keys["reads"], verdict]
        ids.append(step_id)
    taken = f"whoever made a document mends it: {', '.join(ids)}" if ids else "a person decides"
    flow.crew.find(
        "BMAD608",
        source.at,
        f"{quoted(source.agent)} is no agent: {taken}",
        "write one step for each agent that is meant",
    )
    flow.crew.draft.account(source.at, "step", source.agent, "approximated", taken)
    if not ids:
        flow.gate(source)


def _routes(flow: Placing, source: Source) -> None:
    """The step before chooses a way; each way with an agent is a step that ends the flow."""
    before = flow.placed[-1].draft.keys if flow.placed else None
    if before is None or "agent" not in before or "on" in before or "output" in before:
        flow.crew.find(
            "BMAD616", source.at, "routes need a step of an agent before them, that chooses"
        )
        flow.crew.draft.account(source.at, "routes", source.label, "left", "nobody chooses")
        return
    plain = [route for route in source.routes if not route.agent]
    ways = [route for route in source.routes if route.agent]
    names = {route.name: commands.fitted(route.name) for route in (*plain, *ways)}
    before["actions"] = [names[route.name] for route in (*plain, *ways)]
    on: dict[str, str] = {}
    for route in ways:
        one = Source(route.at, route.agent, f"{route.name}", note=route.note, uses=route.uses)
        agent = flow.agent(one, [])
        if agent is None:
            continue
        step = flow.add(one, agent)
        step.keys |= {"actions": ["done"], "on": {"done": "end"}}
        on[names[route.name]] = step.keys["id"]
    flow.open += [(on, names[route.name], len(flow.placed)) for route in plain]
    before["on"] = on
    told = [f"{names[route.name]}: {route.note}" for route in plain if route.note]
    before["note"] = joined(before.get("note", ""), source.note, *told)
    flow.routed |= {route.name for route in plain}
    flow.crew.draft.account(source.at, "routes", source.label, "carried")
    if source.condition:
        why = f"the step {before['id']} chooses by the names of the ways"
        flow.crew.draft.account(source.at, "condition", source.condition, "approximated", why)
