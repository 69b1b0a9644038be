"""What spans and their attributes are called: OpenTelemetry's GenAI conventions, and ours.

The conventions are in development; those of November 2026 are meant (`gen-ai-agent-spans.md` and
`gen-ai-spans.md` of open-telemetry/semantic-conventions-genai). No attribute holds a text of a
prompt, an answer, a document or a fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.trace import Span, StatusCode
from opentelemetry.util.types import AttributeValue

from ..errors import BMADError
from ..models.protocol import ModelReply, ModelRequest

Attributes = dict[str, AttributeValue]

NAME: Final = "bmad2pf"  # of the tracer, and of the service unless a variable says another

OPERATION: Final = "gen_ai.operation.name"
AGENT_ID: Final = "gen_ai.agent.id"
AGENT_NAME: Final = "gen_ai.agent.name"
CONVERSATION: Final = "gen_ai.conversation.id"
WORKFLOW: Final = "gen_ai.workflow.name"
TOOL: Final = "gen_ai.tool.name"
TOOL_TYPE: Final = "gen_ai.tool.type"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
STREAM: Final = "gen_ai.request.stream"
TEMPERATURE: Final = "gen_ai.request.temperature"
MAX_TOKENS: Final = "gen_ai.request.max_tokens"
RESPONSE_MODEL: Final = "gen_ai.response.model"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHED_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
ERROR_TYPE: Final = "error.type"
# Ours, where the conventions have no word.
RUN_ID: Final = "bmad2pf.run.id"
STATUS: Final = "bmad2pf.run.status"
STEP: Final = "bmad2pf.step.id"
VISIT: Final = "bmad2pf.step.visit"
ITEM: Final = "bmad2pf.step.item"
ACTION: Final = "bmad2pf.step.action"
COST: Final = "bmad2pf.cost_usd"

CANCELLED: Final = "cancelled"
_MAX_NAME: Final = 100  # characters of a model's name, which is whatever the provider says
_PROVIDERS: Final[Mapping[str, str]] = {"google": "gcp.gemini"}
_USAGE: Final = (
    (INPUT_TOKENS, "input_tokens"),
    (OUTPUT_TOKENS, "output_tokens"),
    (CACHED_TOKENS, "cached_tokens"),
    (COST, "cost_usd"),
)


def provider_name(provider: str) -> str:
    """The conventions' name of a provider of ours, which most share."""
    return _PROVIDERS.get(provider, provider)


def asked(provider: str, model: str, request: ModelRequest, *, streaming: bool) -> Attributes:
    """What a `chat` span says when it begins."""
    found: Attributes = {
        OPERATION: "chat",
        PROVIDER: provider_name(provider),
        REQUEST_MODEL: model[:_MAX_NAME],
        AGENT_NAME: request.agent,
    }
    if streaming:
        found[STREAM] = True
    if request.temperature is not None:
        found[TEMPERATURE] = request.temperature
    if request.max_tokens is not None:
        found[MAX_TOKENS] = request.max_tokens
    return found


def answered(reply: ModelReply) -> Attributes:
    """What it says of the answer."""
    usage = reply.usage
    found: Attributes = {
        FINISH_REASONS: (reply.finish_reason,),
        INPUT_TOKENS: usage.input_tokens,
        OUTPUT_TOKENS: usage.output_tokens,
    }
    if usage.cached_tokens:
        found[CACHED_TOKENS] = usage.cached_tokens
    if reply.model:
        found[RESPONSE_MODEL] = reply.model[:_MAX_NAME]
    return found


def paid(data: Mapping[str, Any]) -> Attributes:
    """What a step's event tells of all its calls."""
    usage = data.get("usage")
    if not usage:
        return {}
    found: Attributes = {
        PROVIDER: provider_name(data["provider"]),
        RESPONSE_MODEL: data["model"][:_MAX_NAME],
    }
    return found | {name: usage[key] for name, key in _USAGE if usage[key] is not None}


def fault_type(error: BaseException) -> str:
    """A fault's stable code, or its class."""
    if isinstance(error, BMADError):
        return error.code
    return CANCELLED if isinstance(error, asyncio.CancelledError) else type(error).__qualname__


def fail(span: Span, type: str) -> None:
    """End badly, without a text: the log line of the same trace has it."""
    span.set_attribute(ERROR_TYPE, type)
    span.set_status(StatusCode.ERROR)
