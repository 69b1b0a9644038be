"""What an agent may set and a step may set otherwise: memory, model, limits."""

from __future__ import annotations

from typing import Any, Final

from ...runtime import spec
from ..diagnostics import quoted
from ..model import Budget
from .fields import DOCUMENT_HINT, Fields

KEYS: Final = (
    "memory_scope",
    "memory_recall",
    "model",
    "fallback",
    "temperature",
    "max_tokens",
    "timeout",
    "retries",
    "budget",
)
MAX_RECALL: Final = 1_000
MAX_TIMEOUT: Final = 604_800
MAX_TOKENS: Final = 100_000_000
MAX_BUDGET: Final = 1_000_000_000_000
MAX_COST: Final = 1_000_000


def read_tuning(fields: Fields) -> dict[str, Any]:
    """The values of a Tuning by its fields' names; what is refused is absent."""
    return {
        "memory_scope": _read_scope(fields),
        "memory_recall": fields.integer("memory_recall", 0, MAX_RECALL),
        "model": _read_model(fields, "model"),
        "fallback": _read_model(fields, "fallback"),
        "temperature": fields.number("temperature", 0, 2),
        "max_tokens": fields.integer("max_tokens", 1, MAX_TOKENS),
        "timeout": fields.number("timeout", 0, MAX_TIMEOUT, above=True),
        "retries": fields.integer("retries", 1, 10),
        "budget": _read_budget(fields),
    }


def _read_scope(fields: Fields) -> str | None:
    scope = fields.text("memory_scope")
    if scope is None or scope == "isolated":
        return scope
    node = fields.values["memory_scope"]
    if scope == "shared":
        message = '"memory_scope: shared" is read as "shared:default"'
        fields.add("BMAD114", node, message, 'write "shared:default"')
        return "shared:default"
    if not scope.startswith("shared:"):
        hint = 'write "isolated" or "shared:<namespace>"'
        fields.add("BMAD110", node, f'"memory_scope" is {quoted(scope)}', hint)
    elif not spec.is_document_id(scope.removeprefix("shared:")):
        message = f"{quoted(scope.removeprefix('shared:'))} cannot name a shared memory"
        fields.add("BMAD110", node, message, DOCUMENT_HINT)
    else:
        return scope
    return None


def _read_model(fields: Fields, key: str) -> str | None:
    model = fields.line(key)
    if model is not None and (not model or " " in model or len(model) > spec.MAX_DOCUMENT_ID):
        message = f"{quoted(key)} is {quoted(model)}, which names no model"
        fields.add("BMAD110", fields.values[key], message, "write provider:model, or a name")
        return None
    return model


def _read_budget(fields: Fields) -> Budget | None:
    budget = fields.mapping("budget", "write budget: {tokens: …, cost_usd: …}")
    if budget is None:
        return None
    budget.check_keys(("tokens", "cost_usd"), (), 'in "budget"')
    tokens = budget.integer("tokens", 1, MAX_BUDGET)
    cost = budget.number("cost_usd", 0, MAX_COST, above=True)
    if not budget.values:
        hint = "write tokens, cost_usd or both"
        fields.add("BMAD109", fields.values["budget"], '"budget" says no ceiling', hint)
    return None if tokens is None and cost is None else Budget(tokens, cost)
