"""From what an agent has in view to the request that its model gets."""

from __future__ import annotations

from .agent import Agent
from .ask import Conversation
from .budget import Payer
from .context import FlowContext
from .errors import RunError
from .models.protocol import Message, ModelRequest
from .prompt import Sight, system_text, user_text
from .tool import Tool

_tuple = tuple.__new__


def prepare(agent: Agent, talk: Conversation, sight: Sight) -> None:
    """Tell the conversation what is asked, and on which terms."""
    context = talk.context
    settings = context.services.settings
    talk.attempts = agent.retries or settings.llm.retries
    talk.timeout = agent.timeout or settings.llm.timeout
    if agent.fallback is not None:
        talk.fallback = agent.fallback
    if agent.output is not None:
        talk.output = agent.output
    if agent.budget is not None:
        talk.budget = agent.budget
        talk.payer = Payer(agent.id, talk.ticket.step, own="budget" in agent.__dict__)
    if agent.tools or agent.assets:
        talk.tools = _tools(agent, context)
    if sight.missing:
        talk.missing = sight.missing
    text, cut = user_text(sight, settings.prompt)
    if cut:
        talk.cut = cut
    is_plain = not (context.command or agent.assets or agent.inline)
    # What ModelRequest(…) and Message(…) do, for half of their price.
    talk.request = _tuple(
        ModelRequest,
        (
            agent.system if is_plain else _system(agent, context),
            (_tuple(Message, ("user", text, (), None)),),
            talk.ticket.step,
            tuple(tool.spec for tool in talk.tools.values()) if talk.tools else (),
            () if context.command else agent.actions,
            agent.model,
            agent.temperature,
            agent.max_tokens,
            agent.timeout,
            None,
            agent.id,
            context.run_id,
            talk.ticket.visit,
            None,
            (),
        ),
    )
    if agent.template and agent.creates and not context.command:
        talk.outline = context.services.assets.outline(agent.template)
        if talk.outline is not None:
            talk.request = talk.request._replace(headings=talk.outline.headings)


def _system(agent: Agent, context: FlowContext) -> str:
    system = agent.system
    if context.command:  # an errand chooses no action
        system = system_text(agent.persona, agent.prompt, ())
    if agent.assets or agent.inline:
        return context.services.assets.describe(system, agent.assets, agent.inline)
    return system


def _tools(agent: Agent, context: FlowContext) -> dict[str, Tool]:
    known = context.services.tools
    unknown = [name for name in agent.tools if name not in known]
    if unknown:
        raise RunError(f"there is no tool {unknown[0]!r}", step=agent.step)
    tools = {name: known[name] for name in agent.tools}
    if agent.assets:
        reader = context.services.assets.reader(agent.assets)
        tools[reader.name] = reader
    return tools
