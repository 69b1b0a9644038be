"""What a file is, by what stands in it: its folder's name decides nothing.

Each decision has a reason in words, which `--verbose` tells.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

from ..frontmatter import BYTE_ORDER_MARK

AgentKind = Literal["native", "prose", "v4", "v6-xml", "named"]


class Decision(NamedTuple):
    """What an agent-like Markdown file is, and why."""

    kind: AgentKind
    reason: str


_FENCE: Final = re.compile(
    r"^[ \t]{0,3}(`{3,}|~{3,})[ \t]*(?:ya?ml)\b[^\n]*$", re.MULTILINE | re.IGNORECASE
)
_AGENT_KEY: Final = re.compile(
    r"^([ \t]*)agent:[ \t]*(?:&[\w-]+[ \t]*)?(?:\{.*|#.*)?$", re.MULTILINE
)
_V4_KEY: Final = re.compile(
    r"^([ \t]*)(?:persona|commands|dependencies|activation-instructions|startup):", re.MULTILINE
)
_SCALAR_AGENT: Final = re.compile(r"^agent:[ \t]+[^\s{&#]", re.MULTILINE)
_XML: Final = re.compile(r"^[ \t]*<agent\b[^>]*\b(?:id|name)\s*=", re.MULTILINE)
_MATTER: Final = re.compile(r"---[ \t]*\r?\n(.*?)^---[ \t]*$", re.DOTALL | re.MULTILINE)
_NAME_KEY: Final = re.compile(r"^name:[ \t]*\S", re.MULTILINE)
_NATIVE_KEY: Final = re.compile(
    r"^(?:id|memory_scope|memory_recall|wait_for|parallel|persona|creates|actions|templates|"
    r"checklists|tasks|output|fallback|max_tokens|budget):",
    re.MULTILINE,
)
_FLOWS: Final = re.compile(rb"^flows:", re.MULTILINE)


def of_agent(text: str) -> Decision:
    """What the text of an `agents/*.md` is.

    Native keys say so whatever the prompt shows: an agent that builds agents shows some.
    """
    matter = _MATTER.match(text.removeprefix(BYTE_ORDER_MARK))
    has_name = matter is not None and _NAME_KEY.search(matter[1]) is not None
    has_native = matter is not None and _NATIVE_KEY.search(matter[1]) is not None
    if has_native and not has_name:
        return Decision("native", "front-matter of the native form")
    fence = fenced_agent(text)
    if fence is not None:
        return Decision("v4", f"a YAML block with agent: on line {fence.line}")
    if _XML.search(text):
        return Decision("v6-xml", "an <agent> element")
    if matter is None:
        return Decision("prose", "neither front-matter nor a block with agent:")
    if has_name and not has_native:
        return Decision("named", "front-matter with name: and no key of the native form")
    return Decision("native", "front-matter of the native form")


class Fence(NamedTuple):
    """A fenced block: its text, the line on which that begins, and where the block lies."""

    text: str
    line: int
    start: int
    end: int
    closed: bool


def fenced_agent(text: str) -> Fence | None:
    """The YAML block that holds an agent of BMAD v4, if there is one."""
    for fence in fences(text):
        agent, other = _AGENT_KEY.search(fence.text), _V4_KEY.search(fence.text)
        if agent and other and agent[1] == other[1]:
            return fence
    return None


def no_agent(text: str) -> str:
    """Why a text beside agents of v4 holds none, in words that say what to mend."""
    if not text.strip():
        return "the file is empty"
    blocks = [fence.text for fence in fences(text)]
    if any(_SCALAR_AGENT.search(block) for block in blocks):
        return "its agent: is a text, not a mapping of id, title and whenToUse"
    if any(_AGENT_KEY.search(block) for block in blocks):
        return "its YAML block has agent:, and beside it no persona:, commands: or dependencies:"
    if _AGENT_KEY.search(text):
        return "its agent: stands in no block that begins with ```yaml"
    return "it has no YAML block with agent:"


def fences(text: str) -> list[Fence]:
    """Every fenced YAML block; one that is not closed reaches to the end of the file."""
    found = []
    place = 0
    while opening := _FENCE.search(text, place):
        begin = opening.end() + 1
        closing = re.compile(rf"^[ \t]{{0,3}}{opening[1]}[`~]*[ \t]*$", re.MULTILINE).search(
            text, begin
        )
        end = closing.start() if closing else len(text)
        line = text.count("\n", 0, begin) + 1
        place = closing.end() if closing else len(text)
        found.append(Fence(text[begin:end], line, opening.start(), place, closing is not None))
    return found


_WORKFLOW: Final = re.compile(rb"^workflow:[ \t]*(?:#.*)?$", re.MULTILINE)


def has_foreign(files: list[tuple[str, bytes]]) -> bool:
    """Whether some file of a native scan is in another form."""
    for path, data in files:
        if path.startswith("agents/"):
            if of_agent(data.decode(errors="replace")).kind not in ("native", "prose"):
                return True
        elif path.startswith("workflows/") and _WORKFLOW.search(data):
            return True
    return False


def native_reason(files: list[tuple[str, bytes]]) -> str:
    """Why the files of a native scan are a native project; empty when they are not surely one."""
    kinds: dict[str, str] = {}
    for path, data in files:
        if (path == "workflow.yaml" or path.startswith("workflows/")) and _FLOWS.search(data):
            return f'{path} has the key "flows"'
        if path == "tools.yaml":
            return "there is a tools.yaml"
        if path.startswith("agents/"):
            kinds[path] = of_agent(data.decode(errors="replace")).kind
    native = next((path for path, kind in kinds.items() if kind == "native"), "")
    if native:
        return f"{native} has front-matter of the native form"
    if kinds and set(kinds.values()) == {"prose"}:
        return "agents/ holds prose, and nothing of another form"
    return ""
