"""How long a step's fixed prompt is: its agent's text, its note, and the files that it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..runtime.template import is_outlined, outline
from . import graph
from .diagnostics import Diagnostics, quoted
from .model import Agent, AgentStep, Project

MAX_TOKENS: Final = 12_000
_CHARACTERS: Final = 4  # of a token, about


def check_prompts(project: Project, diagnostics: Diagnostics) -> None:
    """Tell of steps whose model is sent more than MAX_TOKENS before it sees any input."""
    agents = graph.by_id(project)
    lengths = {path: len(data.decode(errors="replace")) for path, data in project.referred.items()}
    for flow in project.flows:
        for step in flow.steps():
            agent = agents.get(step.agent) if isinstance(step, AgentStep) else None
            if agent is not None and isinstance(step, AgentStep):
                _check_step(step, agent, project.referred, lengths, diagnostics)


def _check_step(
    step: AgentStep,
    agent: Agent,
    files: Mapping[str, bytes],
    lengths: Mapping[str, int],
    diagnostics: Diagnostics,
) -> None:
    inline = [asset.path for asset in agent.assets if asset.inline]
    template = step.template or agent.template
    shown = (*inline, *step.shows, *((template,) if template else ()))
    texts = len(agent.persona) + len(agent.prompt) + len(step.note)
    sent = {path: lengths.get(path, 0) for path in shown}
    if _tokens(texts + sum(sent.values())) <= MAX_TOKENS:
        return
    for path, length in sent.items():
        if is_outlined(path) and path in files and path not in inline:
            meant = outline(files[path].decode(errors="replace"))
            sent[path] = length if meant is None else len(meant.text)
    total = _tokens(texts + sum(sent.values()))
    if total <= MAX_TOKENS:
        return
    message = f"the step {quoted(step.id)} is always sent about {total:,} tokens"
    longest = max(sent, key=lambda path: sent[path], default=None)
    hint = "shorten its agent's text, or its note"
    if longest is not None and sent[longest] > texts:
        message += f", {_tokens(sent[longest]):,} of them {quoted(longest)}"
        hint = "list the file with the agent alone: the model reads it when it wants it"
    diagnostics.add("BMAD508", step.at, message, hint)


def _tokens(characters: int) -> int:
    return characters // _CHARACTERS
