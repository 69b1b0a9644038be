"""What the mock is told to answer, read from YAML: the rehearsal of a flow."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NoReturn

from .. import yamltext
from ..errors import SettingsError
from ..near import near
from .protocol import ToolCall, Usage

ANYONE: Final = "*"
ALWAYS: Final = "always"
ERRORS: Final = ("rate_limit", "server", "timeout", "refused")
STREAMS: Final = ("words", "chunks")
MAX_SECONDS: Final = 3600
MAX_NUMBER: Final = 10**9

_SHARED: Final = ("delay", "word_delay", "stream", "usage")
_KEYS: Final = ("text", "output", "action", "tool", "error", "times", "retry_after", *_SHARED)


@dataclass(frozen=True, slots=True)
class Turn:
    """The answer of one visit. Times in seconds.

    `times` failures come first (-1: nothing but failures), then `tools` are called, then
    there is `text`, None for a built answer. `action` is added as its last line: None for
    the first that is possible, empty for none; `line` is where the script names it.
    """

    text: str | None = None
    action: str | None = None
    tools: tuple[ToolCall, ...] = ()
    error: str | None = None
    times: int = 0
    retry_after: float | None = None
    delay: float = 0.0
    word_delay: float = 0.0
    stream: str = "words"
    usage: Usage | None = None
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Script:
    """`turns` by the id of a step or an agent, or ANYONE; one a visit, the last again and again.

    `lines` are where these names stand in the file at `path`.
    """

    turns: Mapping[str, tuple[Turn, ...]] = field(default_factory=dict)
    default: Turn = Turn()
    path: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)

    def turn(self, step: str, agent: str, visit: int) -> Turn:
        """What is answered at that visit, from 1; a step inside a sub-flow is `flow.step`."""
        for name in (step, step.rpartition(".")[2], agent, ANYONE):
            turns = self.turns.get(name)
            if turns:
                return turns[min(max(visit, 1), len(turns)) - 1]
        return self.default


def parse_script(text: str, path: str) -> Script:
    """Read a script; `path` is for messages. Raises SettingsError naming the line."""
    try:
        root = yamltext.parse(text)
    except yamltext.YamlError as error:
        fault = error.faults[0]
        where = f"{path}:{fault.line}"
        raise SettingsError(fault.message, where=where, hint=fault.hint or None) from None
    return _Reader(path).script(root)


class _Reader:
    def __init__(self, path: str) -> None:
        self.path = path

    def script(self, root: yamltext.Node | None) -> Script:
        if root is None:
            return Script()
        parts = self.mapping(root, "the script", ("defaults", "answers"))
        default = Turn()
        if "defaults" in parts:
            default = self.shared(self.mapping(parts["defaults"], "defaults", _SHARED), default)
        turns, lines = {}, {}
        if "answers" in parts:
            answers = self.mapping(parts["answers"], "answers")
            turns = {name: self.turns(node, default) for name, node in answers.items()}
            lines = self.lines(parts["answers"])
        return Script(turns, default, self.path, lines)

    def lines(self, node: yamltext.Node) -> dict[str, int]:
        entries = node.entries if isinstance(node, yamltext.Mapping) else ()
        return {key.text: key.line for key, _ in entries}

    def turns(self, node: yamltext.Node, default: Turn) -> tuple[Turn, ...]:
        if not isinstance(node, yamltext.Sequence):
            return (self.turn(node, default),)
        if not node.items:
            self.refuse(node, "the list of answers is empty")
        return tuple(self.turn(item, default) for item in node.items)

    def turn(self, node: yamltext.Node, default: Turn) -> Turn:
        if isinstance(node, yamltext.Scalar):
            return replace(default, text=self.text(node, "an answer"))
        parts = self.mapping(node, "an answer", _KEYS)
        if "text" in parts and "output" in parts:
            self.refuse(parts["output"], "an answer has a text or an output, not both")
        turn = self.shared(parts, default)
        if "text" in parts:
            turn = replace(turn, text=self.text(parts["text"], "text"))
        if "output" in parts:
            data = yamltext.to_data(parts["output"])
            turn = replace(turn, text=json.dumps(data, ensure_ascii=False, indent=2))
        if "action" in parts:
            action = parts["action"]
            turn = replace(turn, action=self.action(action), line=action.line)
        if "tool" in parts:
            turn = replace(turn, tools=self.tools(parts["tool"]))
        return self.failing(node, parts, turn)

    def shared(self, parts: Mapping[str, yamltext.Node], turn: Turn) -> Turn:
        if "delay" in parts:
            turn = replace(turn, delay=self.seconds(parts["delay"], "delay"))
        if "word_delay" in parts:
            turn = replace(turn, word_delay=self.seconds(parts["word_delay"], "word_delay"))
        if "stream" in parts:
            turn = replace(turn, stream=self.choice(parts["stream"], "stream", STREAMS))
        if "usage" in parts:
            turn = replace(turn, usage=self.usage(parts["usage"]))
        return turn

    def failing(self, node: yamltext.Node, parts: Mapping[str, yamltext.Node], turn: Turn) -> Turn:
        if "error" not in parts:
            for name in ("times", "retry_after"):
                if name in parts:
                    self.refuse(parts[name], f"{name} goes with an error, and there is none")
            return turn
        turn = replace(turn, error=self.choice(parts["error"], "error", ERRORS), times=1)
        if "times" in parts:
            turn = replace(turn, times=self.times(parts["times"]))
        if "retry_after" in parts:
            seconds = self.seconds(parts["retry_after"], "retry_after")
            turn = replace(turn, retry_after=seconds)
        return turn

    def action(self, node: yamltext.Node) -> str:
        if isinstance(node, yamltext.Scalar) and node.value is None:
            return ""
        return self.text(node, "action")

    def tools(self, node: yamltext.Node) -> tuple[ToolCall, ...]:
        nodes = node.items if isinstance(node, yamltext.Sequence) else (node,)
        return tuple(self.tool(item, number) for number, item in enumerate(nodes))

    def tool(self, node: yamltext.Node, number: int) -> ToolCall:
        parts = self.mapping(node, "tool", ("name", "arguments"))
        if "name" not in parts:
            self.refuse(node, "the tool has no name")
        arguments: object = {}
        if "arguments" in parts:
            self.mapping(parts["arguments"], "arguments")
            arguments = yamltext.to_data(parts["arguments"])
        name = self.text(parts["name"], "the tool's name")
        return ToolCall(f"call_{number}", name, json.dumps(arguments, ensure_ascii=False))

    def usage(self, node: yamltext.Node) -> Usage:
        parts = self.mapping(node, "usage", ("input", "output", "cached"))
        counts = {name: self.whole(part, f"usage.{name}") for name, part in parts.items()}
        return Usage(counts.get("input", 0), counts.get("output", 0), counts.get("cached", 0))

    def times(self, node: yamltext.Node) -> int:
        if isinstance(node, yamltext.Scalar) and node.value == ALWAYS:
            return -1
        return self.whole(node, "times")

    def mapping(
        self, node: yamltext.Node, what: str, known: Iterable[str] | None = None
    ) -> dict[str, yamltext.Node]:
        if not isinstance(node, yamltext.Mapping):
            self.refuse(node, f"{what} should be a mapping")
        for key, _ in node.entries:
            if known is not None and key.text not in known:
                hint = near(key.text, known) or f"known are {', '.join(known)}"
                self.refuse(key, f"unknown key {_shown(key.text)} in {what}", hint)
        return {key.text: value for key, value in node.entries}

    def text(self, node: yamltext.Node, what: str) -> str:
        if not isinstance(node, yamltext.Scalar) or node.value is None:
            self.refuse(node, f"{what} should be a text")
        return node.text

    def choice(self, node: yamltext.Node, what: str, known: tuple[str, ...]) -> str:
        text = self.text(node, what)
        if text not in known:
            self.refuse(node, f"{what} should be one of {', '.join(known)}", near(text, known))
        return text

    def seconds(self, node: yamltext.Node, what: str) -> float:
        value = _number(node)
        if value is None or not math.isfinite(value) or not 0 <= value <= MAX_SECONDS:
            self.refuse(node, f"{what} should be a number of seconds, at most {MAX_SECONDS}")
        return float(value)

    def whole(self, node: yamltext.Node, what: str) -> int:
        value = _number(node)
        if not isinstance(value, int) or not 0 <= value <= MAX_NUMBER:
            self.refuse(node, f"{what} should be a whole number, not negative")
        return value

    def refuse(self, node: Any, message: str, hint: str | None = None) -> NoReturn:
        raise SettingsError(message, where=f"{self.path}:{node.line}", hint=hint)


def _number(node: yamltext.Node) -> int | float | None:
    value = node.value if isinstance(node, yamltext.Scalar) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _shown(name: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in name[:80])
