"""What v4 projects say of themselves, read with PyYAML alone and none of the compiler's readers.

So that what the compiler makes of them can be held against it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_FENCE = re.compile(r"^```ya?ml[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_NOT_WORDS = re.compile(r"[\W_]+")
_SEVERAL = re.compile(r"\s*[/|]\s*")
_ASIDE = re.compile(r"\s*\(.*?\)")
_DOCUMENT = re.compile(r"([\w-]+)(?:\.\w+)?/?")
_ONE_OF = re.compile(r"\s+OR\s+")
_EVERYTHING, _FLAGGED = "all_", "flagged"
_SAYS = ("notes", "description", "title", "action", "task")
_CREATES, _REQUIRES = ("creates", "output", "outputs"), ("requires", "input", "inputs")


@dataclass(frozen=True)
class Persona:
    """An agent: its id, what it is called, what it is, and the files that it names by kind."""

    path: Path
    id: str
    name: str
    role: str
    files: dict[str, list[str]] = field(hash=False, default_factory=dict)


@dataclass(frozen=True)
class Step:
    """A step that an agent does, or a way that one may choose.

    `requires` are the documents that an earlier step surely makes, `needs` all that are named,
    and `needs_all` says that it is about every document so far. `is_unnamed`: what it makes is
    told in words that name no document. `mends`: it updates what was found fault with.
    """

    agent: str
    persona: Persona | None
    says: str
    creates: str
    updates: str
    requires: tuple[str, ...]
    uses: tuple[str, ...]
    needs: tuple[str, ...] = ()
    needs_all: bool = False
    is_unnamed: bool = False
    mends: bool = False


@dataclass(frozen=True)
class Workflow:
    """One sequence of a workflow file; `name` is empty where a file has only one."""

    path: Path
    id: str
    name: str
    steps: tuple[Step, ...]


def squashed(text: str) -> str:
    """The letters and digits of a text, however it is broken, quoted and marked up."""
    return _NOT_WORDS.sub("", text).lower()


def personas(folder: Path) -> list[Persona]:
    """The agents of all files in folders called `agents` whose block can be parsed."""
    found = []
    for path in sorted(folder.rglob("agents/*.md")):
        for block in _FENCE.findall(path.read_text("utf-8")):
            about = _parsed(block) or _by_lines(block)
            if isinstance(about.get("agent"), dict):
                found.append(_persona(path, about))
                break
    return found


def _persona(path: Path, about: dict[str, Any]) -> Persona:
    agent, persona = about["agent"], about.get("persona") or {}
    files = {
        kind: [str(each) for each in names]
        for kind, names in (about.get("dependencies") or {}).items()
        if isinstance(names, list)
    }
    own, name = str(agent.get("id") or path.stem), str(agent.get("name") or "")
    return Persona(path, own, name, str(persona.get("role") or ""), files)


def _by_lines(text: str) -> dict[str, Any]:
    """The agent of a block that is no YAML, as those of v4.0.0: by the lines that say it."""
    found = dict(re.findall(r"^[ ]{2}(id|name|role): *(.*\S)", text, re.MULTILINE))
    return {"agent": found, "persona": found} if "agent:\n" in text and found else {}


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}


def workflows(folder: Path, crew: list[Persona]) -> Iterator[Workflow]:
    """Every sequence of steps of every workflow that can be parsed."""
    for path in sorted({*folder.rglob("workflows/*.yaml"), *folder.rglob("workflows/*.yml")}):
        root = _parsed(path.read_text("utf-8"))
        inner = root.get("workflow")
        root = inner if isinstance(inner, dict) else root
        found: dict[str, list[dict[str, Any]]] = {}
        for key, value in root.items():
            name = key.removesuffix("_sequence") if key.endswith("_sequence") else ""
            found.setdefault(name, []).extend(_with_agents(value))
        for name, steps in found.items():
            if steps:
                own = str(root.get("id") or path.stem)
                yield Workflow(path, own, name, tuple(_steps(path, steps, crew)))


def _with_agents(node: Any) -> Iterator[dict[str, Any]]:
    """All mappings with an agent, in the order of the file."""
    if isinstance(node, list):
        for item in node:
            yield from _with_agents(item)
    elif isinstance(node, dict) and isinstance(node.get("agent"), str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from _with_agents(value)


def _steps(path: Path, raw: list[dict[str, Any]], crew: list[Persona]) -> Iterator[Step]:
    made: set[str] = set()
    for step in raw:
        sure = not step.get("condition") and not step.get("optional")
        needs = _documents(step, _REQUIRES)
        makes, changes = _documents(step, _CREATES), _documents(step, ("updates",))
        mends = any(_FLAGGED in each for each in changes)
        persona = _who(path, str(step["agent"]), crew)
        yield Step(
            agent=str(step["agent"]),
            persona=persona,
            says=str(next((step[key] for key in _SAYS if step.get(key)), "")),
            creates=next(iter(makes), ""),
            updates="" if mends else next(iter(changes), ""),
            requires=tuple(each for each in needs if each in made),
            uses=tuple(f"{step.get('uses') or ''} {step.get('task') or ''}".split()),
            needs=tuple(each for each in needs if not each.startswith(_EVERYTHING)),
            needs_all=bool(step.get("validates")) or any(n.startswith(_EVERYTHING) for n in needs),
            is_unnamed=any(step.get(key) for key in _CREATES) and not makes,
            mends=mends,
        )
        if sure and persona is not None:
            made |= set(makes[:1])


def _documents(step: dict[str, Any], keys: tuple[str, ...]) -> list[str]:
    """The documents that some keys name, without `.md`: `a.md, b (optional)`, or a list.

    Of `a OR b` it is the first.
    """
    values = [step[key] for key in keys if step.get(key)]
    texts = [
        part
        for value in values
        for item in (value if isinstance(value, list) else [value])
        for part in str(item).split(",")
    ]
    firsts = [_ONE_OF.split(_ASIDE.sub("", text).strip())[0] for text in texts]
    found = [_DOCUMENT.fullmatch(text.rstrip("/").split("/")[-1]) for text in firsts]
    return [each[1] for each in found if each]


def _who(path: Path, name: str, crew: list[Persona]) -> Persona | None:
    """Whom a workflow means: of its own pack first; of several names the first there is."""
    home = path.parent.parent
    near = sorted(crew, key=lambda each: not each.path.is_relative_to(home))
    for one in [name, *_SEVERAL.split(name)]:
        for each in near:
            if one in (each.id, each.path.stem):
                return each
    return None
