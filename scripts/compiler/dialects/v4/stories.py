"""The cycle in which stories are written: a flow of its own, run for each story of a list."""

from __future__ import annotations

import re
from typing import Any, Final

from ...diagnostics import quoted
from ..draft import DraftFlow, DraftStep
from . import commands, spread
from .ledger import Made
from .placing import Placed, Placing
from .steps import Source
from .words import id_of, is_meant, joined

MAX_ITEMS: Final = 50
MAX_VISITS: Final = 3
STORIES: Final = "stories"
_LIST: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        STORIES: {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "epic": {"type": "string"},
                    "title": {"type": "string"},
                    "text": {"type": "string"},
                },
                "required": ["title", "text"],
            },
        }
    },
    "required": [STORIES],
}
_LIST_NOTE: Final = (
    "Name the stories that are to be written, in the order of work, as the list `stories`: the "
    "epic, a title, and all that the documents say of it."
)
_LEFT: Final = re.compile(r"^(\w+?)_left_")


def place(flow: Placing, sources: list[Source]) -> None:
    """All steps of a flow, those that are repeated as a flow of their own."""
    begin = next((at for at, each in enumerate(sources) if each.is_cycle), None)
    if begin is None:
        spread.place_all(flow, sources)
        return
    spread.place_all(flow, sources[:begin])
    end = next((at for at in range(begin, len(sources)) if sources[at].repeats_before), None)
    is_marked = end is not None
    end = _end_of(sources, begin) if end is None else end
    _cycle(flow, sources[begin:end], is_marked=is_marked)
    spread.place_all(flow, sources[end:])


def _end_of(sources: list[Source], begin: int) -> int:
    """Where a cycle without a marker ends: with the epic, or with the workflow."""
    for number in range(begin, len(sources)):
        source = sources[number]
        if source.ends or "retrospective" in source.action or source.condition == "epic_complete":
            return number
    return len(sources)


def _cycle(flow: Placing, sources: list[Source], *, is_marked: bool) -> None:
    first = sources[0]
    if not _gives_list(flow, first):
        spread.place_all(flow, sources)
        message = "nobody can say which stories there are: the cycle runs once"
        flow.crew.find("BMAD614", first.at, message)
        flow.crew.draft.account(first.at, "loop", first.repeats, "approximated", message)
        return
    name = flow.crew.free(commands.fitted(f"{flow.flow.name}-{STORIES}"), flow.home, first.at)
    about = DraftFlow(name, first.at, f"One story of {flow.flow.name}.")
    inner = Placing(flow.crew, flow.home, about, flow.handoffs, flow.created)
    inner.ledger.makers = {name: set(who) for name, who in flow.ledger.makers.items()}
    inner.ledger.made = [Made(made.name, made.agent, made.is_sure) for made in flow.ledger.made]
    spread.place_all(inner, sources)
    loop_reviews(inner)
    inner.finish()
    if not inner.placed:
        flow.crew.find("BMAD616", first.at, "nothing is done in the cycle that begins here")
        flow.crew.draft.account(first.at, "loop", first.repeats, "left", "nothing is done in it")
        return
    flow.crew.draft.flows.append(inner.flow)
    keys = {
        "flow": name,
        "id": flow.unique("story-cycle"),
        "for_each": STORIES,
        "max_items": MAX_ITEMS,
    }
    note = f"{first.repeats}: once for each of the stories, at most {MAX_ITEMS}."
    flow.placed.append(Placed(DraftStep(keys, first.at, [note]), first))
    runs = f"run for each of the {STORIES}, at most {MAX_ITEMS} times"
    message = f"{quoted(first.repeats)} is the flow {quoted(name)}, {runs}"
    hint = "" if is_marked else "the cycle's end is not marked: it was taken to end with the epic"
    flow.crew.find("BMAD614", first.at, message, hint)
    flow.crew.draft.account(first.at, "loop", first.repeats, "carried", message)


def _gives_list(flow: Placing, first: Source) -> bool:
    """Let the step before, or one that is put there, give the list of stories, if any can."""
    before = flow.placed[-1] if flow.placed else None
    keys = before.draft.keys if before else {}
    makes = str(keys.get("creates", "")).removesuffix(".md")
    gives = "agent" in keys and "when" not in keys and "checklist" not in keys
    if before is None or not gives or "shard" not in makes:
        agent = flow.crew.agent(flow.home, first.agent) or flow.agent(first, [])
        if agent is None:
            return False
        source = Source(first.at, agent=agent.own_id, requires=first.requires)
        draft = flow.add(
            source, agent, flow.unique(commands.fitted(f"{agent.plain}-lists-stories").lower())
        )
        keys = draft.keys
        why = "somebody has to say which stories there are"
        flow.crew.draft.account(first.at, "step", keys["id"], "approximated", why)
    keys["note"] = joined(keys.get("note", ""), _LIST_NOTE)
    keys["output"] = _LIST
    return True


def loop_reviews(flow: Placing) -> None:
    """A step that mends what the review before it has left: a loop with bounds."""
    for number, placed in enumerate(flow.placed):
        left = _LEFT.match(placed.source.condition)
        before = flow.placed[number - 1] if number else None
        if not left or before is None or not is_meant(left[1], before.source.agent):
            continue
        review, mend = before.draft.keys, placed.draft.keys
        if "agent" not in review or "agent" not in mend:
            continue  # a person stands there
        if "on" in review or "on" in mend:
            continue  # it chooses between other ways already
        rest = flow.placed[number + 1 :]
        after = id_of(rest[0].draft.keys) if rest else "end"
        review |= {
            "actions": ["approve", "revise"],
            "on": {"approve": after, "revise": mend["id"]},
            "max_visits": MAX_VISITS,
        }
        mend |= {
            "actions": ["done"],
            "on": {"done": review["id"]},
            "max_visits": MAX_VISITS,
            "when": f'results["{review["id"]}"] != null or {mend["when"]}',
        }
        message = (
            f"{quoted(placed.source.condition)} is what {quoted(review['id'])} decides: it "
            f"approves, or {quoted(mend['id'])} comes and it looks again, at most "
            f"{MAX_VISITS} times"
        )
        flow.crew.find("BMAD614", placed.source.at, message)
