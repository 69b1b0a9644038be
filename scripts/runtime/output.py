"""Where the output of a step is kept: as a document, and in its agent's memory."""

from __future__ import annotations

from typing import Any, Final

from .agent import Agent
from .ask import Conversation
from .prompt import as_text
from .spec import story_document
from .stores.protocol import DocumentStore

DONE: Final = "task_completion"  # the category of what a step leaves in memory


async def keep(agent: Agent, talk: Conversation) -> None:
    """Write the output where the settings want it. Raises StoreError."""
    context, services = talk.context, talk.context.services
    name = talk.ticket.step if talk.item is None else f"{talk.ticket.step}__{talk.item + 1}"
    if services.documents is not None:
        saved = services.settings.documents.save_outputs
        if saved == "all" or (saved == "created" and agent.creates is not None):
            await _keep_documents(agent, talk, services.documents, name, saved)
    if services.memory is not None:
        await services.memory.put(agent.scope(context), name, talk.result, category=DONE)


async def _keep_documents(
    agent: Agent, talk: Conversation, store: DocumentStore, name: str, saved: str
) -> None:
    context = talk.context
    text, author = as_document(talk.result), _author(agent, talk)
    if saved == "all":
        await store.put(story_document(context.story_id, name), text, author=author)
    if agent.creates is None:
        return
    if context.rework is None or not context.rework.withheld(talk.ticket, agent.creates):
        created = story_document(context.story_id, agent.creates) + context.suffix
        await store.put(created, text, author=author)


def _author(agent: Agent, talk: Conversation) -> dict[str, str]:
    return {
        "kind": "agent",
        "agent": agent.id,
        "step": talk.ticket.name,
        "run_id": talk.context.run_id,
        "prompt": agent.prompt_digest,
    }


def as_document(output: Any) -> str:
    """Text as it is; an object as a block of JSON."""
    return output if isinstance(output, str) else f"```json\n{as_text(output)}\n```\n"
