"""Reading an answer: the action that it names, the object that it holds.

A model that can be held to a schema answers with JSON; any other writes text whose last
line names the action. Both are read everywhere, since not every server does what it is asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_ACTION_LINE: Final = re.compile(
    r"[\s*_`#>-]*action[\s*_`]*:[\s*_`\"']*([A-Za-z0-9_-]+)[\s*_`\"'.]*", re.IGNORECASE
)
_FENCE: Final = re.compile(r"```(?:json)?[ \t]*\n(.*?)\n[ \t]*```", re.DOTALL | re.IGNORECASE)
_SHARED: Final = ("$defs", "definitions")
_MAX_FAULT: Final = 500  # characters of the validator's words that the model is told


class OutcomeFault(Exception):
    """The answer does not fit: `message` asks the model for a better one.

    `shape` says to a client what is wrong with the object; None when only the action is missing.
    """

    def __init__(self, message: str, shape: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.shape = shape


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step takes from an answer: text or an object, and the action if one was asked for."""

    output: Any
    action: str | None = None


def answer_schema(
    output: Mapping[str, Any] | None, actions: Sequence[str]
) -> Mapping[str, Any] | None:
    """What a model with native structured output is held to; None for plain text."""
    if not actions:
        return output
    # References such as #/$defs/… are read from the top.
    shared = {key: output[key] for key in _SHARED if key in output} if output else {}
    answer = {key: value for key, value in output.items() if key not in shared} if output else None
    return {
        **shared,
        "type": "object",
        "properties": {
            "answer": answer or {"type": "string", "description": "The whole answer, in Markdown."},
            "action": {"type": "string", "enum": list(actions)},
        },
        "required": ["answer", "action"],
        "additionalProperties": False,
    }


def schema_text(output: Mapping[str, Any]) -> str:
    """The schema in words, for a model that cannot be held to it."""
    schema = json.dumps(output, ensure_ascii=False, indent=2)
    return f"## Answer\n\nAnswer with JSON alone that fits this schema:\n\n```json\n{schema}\n```"


def read(text: str, output: Mapping[str, Any] | None, actions: Sequence[str]) -> Outcome:
    """The outcome that a text says. Raises OutcomeFault."""
    action: str | None = None
    value: Any = text
    if actions:
        value, action = _with_action(text, actions)
    if output is not None:
        value = _as_json(value) if isinstance(value, str) else value
        _validate(value, output)
    if actions and action is None:
        raise OutcomeFault(_choices(actions))
    return Outcome(value, action)


def split_action(text: str, actions: Sequence[str]) -> tuple[str, str | None]:
    """The text before its last line, and the action which that line names, if it names one."""
    head, _, last = text.rstrip().rpartition("\n")
    match = _ACTION_LINE.fullmatch(last)
    action = _known(match[1], actions) if match else None
    return (head.rstrip(), action) if action else (text, None)


def _with_action(text: str, actions: Sequence[str]) -> tuple[Any, str | None]:
    found = _object(text)
    if isinstance(found, dict) and set(found) == {"answer", "action"}:
        return found["answer"], _known(str(found["action"]), actions)
    return split_action(text, actions)


def _known(word: str, actions: Sequence[str]) -> str | None:
    return {action.casefold(): action for action in actions}.get(word.casefold())


def _choices(actions: Sequence[str]) -> str:
    lines = " or ".join(f"`Action: {action}`" for action in actions)
    return f"Your decision is missing. End with one line: {lines}."


def _object(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _as_json(text: str) -> Any:
    fenced = _FENCE.search(text)
    try:
        return json.loads(fenced[1] if fenced else text)
    except ValueError as error:
        raise OutcomeFault(
            f"Your answer is not JSON: {error}. Answer with JSON alone.",
            f"the answer is not JSON: {error}",
        ) from None


def _validate(value: Any, schema: Mapping[str, Any]) -> None:
    # Imported here: only agents with an `output` pay for it.
    import jsonschema

    validator = jsonschema.Draft202012Validator(schema)
    faults = sorted(validator.iter_errors(value), key=lambda fault: list(map(str, fault.path)))
    if faults:
        told = [f"{fault.json_path}: {fault.message}" for fault in faults[:5]]
        lines = "\n".join(f"- {line}" for line in told)
        raise OutcomeFault(
            f"Your answer does not fit its schema:\n{lines[:_MAX_FAULT]}\n"
            "Answer again with the corrected JSON alone.",
            f"the answer does not fit its schema: {'; '.join(told)[:_MAX_FAULT]}",
        )
