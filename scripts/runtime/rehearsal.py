"""Whether a script for the mock speaks of agents, steps and actions that there are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from .errors import SettingsError
from .flow import Flow
from .models.script import ANYONE, Script, Turn
from .near import near
from .node import AgentNode
from .nodes import steps_in

_NUMBER: Final = re.compile(r"\.\d+(?=\.)")  # of an item: `story.2.write` is `story.write`


def check_script(script: Script, agents: Iterable[type[AgentNode]], flows: Iterable[Flow]) -> None:
    """Raises SettingsError with a line for each name and each action that there is not."""
    offered = _offered(agents, flows)
    faults = []
    for name, turns in script.turns.items():
        if _NUMBER.sub("", name) in offered:
            actions = offered[_NUMBER.sub("", name)]
            faults += [_no_action(script, name, turn, actions) for turn in _astray(turns, actions)]
        else:
            message = f"there is no agent and no step {name!r}"
            where = f"{script.path}:{script.lines[name]}"
            faults.append(SettingsError(message, where=where, hint=near(name, offered)))
    if faults:
        raise SettingsError.of(faults)


def _offered(agents: Iterable[type[AgentNode]], flows: Iterable[Flow]) -> dict[str, set[str]]:
    """The actions by all that a script may name: steps, alone or behind their flow, and agents."""
    offered = {agent.id: {*agent.actions} for agent in agents}
    for flow in flows:
        for step, node in steps_in(flow.build()):
            for name in (step, node.step, node.id):
                offered.setdefault(name, set()).update(node.actions)
    offered[ANYONE] = set[str]().union(*offered.values())
    return offered


def _astray(turns: Iterable[Turn], actions: Iterable[str]) -> Iterator[Turn]:
    known = {action.casefold() for action in actions}
    return (turn for turn in turns if turn.action and turn.action.casefold() not in known)


def _no_action(script: Script, name: str, turn: Turn, actions: set[str]) -> SettingsError:
    action = turn.action or ""
    message = f"{'nobody has the' if name == ANYONE else f'{name} has no'} action {action!r}"
    known = f"known are {', '.join(sorted(actions))}" if actions else "it decides nothing"
    where = f"{script.path}:{turn.line}"
    return SettingsError(message, where=where, hint=near(action, actions) or known)
