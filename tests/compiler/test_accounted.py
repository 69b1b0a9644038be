"""Whatever an author wrote is in what is made of it, or the report says that it is not.

Real projects are read here by plain parsers, value by value: each has to stand in what was made
of its own file (a long text may stand anywhere: it is found nowhere by chance), or the report has
to say of its line, or of a line that holds it, that it was left or changed, and why.
"""

from __future__ import annotations

import csv
import io
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from xml.parsers import expat

import pytest
import yaml

from bench.declared import squashed
from scripts.compiler import importing
from scripts.compiler.diagnostics import Diagnostics
from scripts.compiler.dialects.draft import Account, Draft
from tests.corpus import CORPUS, PROJECTS

FENCE = re.compile(r"^```ya?ml[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILLED = re.compile(
    r"\{\{?[^{}\n]*\}\}?(?::\w+)?|^\[[\w -]{1,8}\]|\.(?:agent\.yaml|md|ya?ml)\b|"
    r"\w+ or fuzzy match on "
)
PATH = re.compile(r"(?:[^\s/]*/)+([^\s/]+)/?([^\s/]*)")
MATTER = re.compile(r"\A---[ \t]*\n.*?^---[ \t]*\n", re.DOTALL | re.MULTILINE)
PAGES = ("SKILL.md", "workflow.md")
XML = re.compile(r"^[ \t]*(<agent\b[^>]*\b(?:id|name)=.*?</agent>)", re.MULTILINE | re.DOTALL)
BARE = re.compile(r"&(?!\w+;|#)")
ENTRY = re.compile(r"(?<=/)workflow\.(?:ya?ml|md|xml)$")  # its folder names the workflow
TABLES = ("module-help.csv", "agent-manifest.csv")
WHOLE = ("file", "team", "test data", "agent", "workflow", "table", "customisation")
ASSETS = ("task", "template", "checklist", "data", "util", "workflow")
# What is told under the name of a key: it says nothing of other keys on its line.
BY_KEY = frozenset(
    {"agent key", "section", "setting", "workflow key", "module key", "directives", "dependency"}
)
LISTED = 60
LONG = 24  # letters and digits that no other text has by chance


class Value(NamedTuple):
    """A plain value: its keys, and the lines of all that holds it; none where not known."""

    keys: tuple[str, ...]
    lines: tuple[int, ...]
    text: str


def values_of(path: Path, text: str) -> Iterator[Value]:
    if path.suffix in (".yaml", ".yml"):
        yield from _yaml(text, 1)
    elif path.suffix == ".md":
        for block in FENCE.finditer(text):
            if re.search(r"^agent:", block[1], re.MULTILINE):
                yield from _yaml(block[1], 1 + text.count("\n", 0, block.start(1)))
        if element := XML.search(text):
            yield from _xml(element[1], 1 + text.count("\n", 0, element.start(1)))
        if path.name in PAGES or path.name.startswith("step-"):
            yield from _page(text)
    elif path.name == "customize.toml":
        yield from _toml(tomllib.loads(text), ())
    elif path.name in TABLES:
        rows = csv.reader(io.StringIO(text))
        header = next(rows, [])
        for row in rows:
            yield from (
                Value((key,), (rows.line_num,), cell)
                for key, cell in zip(header, row, strict=False)
            )


def _page(text: str) -> Iterator[Value]:
    """The lines of a page behind its front-matter, each below the headings that hold it."""
    above: list[tuple[int, int, str]] = []  # level, line and title of headings
    matter = MATTER.match(text)
    begin = text.count("\n", 0, matter.end()) if matter else 0
    is_code = False
    for number, line in enumerate(text.split("\n")[begin:], begin + 1):
        is_code ^= line.lstrip().startswith(("```", "~~~"))
        heading = None if is_code else re.match(r"(#{1,6})[ \t]+(.*?)[ \t]*#*$", line)
        if heading:
            above = [each for each in above if each[0] < len(heading[1])]
            above.append((len(heading[1]), number, heading[2]))
        titles = tuple(each[2] for each in above)
        yield Value(titles, (*(each[1] for each in above), number), line.strip())


def _yaml(text: str, begin: int) -> Iterator[Value]:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return
    todo: list[tuple[Any, tuple[str, ...], tuple[int, ...]]] = [(root, (), ())]
    while todo:
        node, keys, lines = todo.pop()
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                here = (*lines, begin + key.start_mark.line)
                todo.append((value, (*keys, str(key.value)), here))
        elif isinstance(node, yaml.SequenceNode):
            todo += [(i, keys, (*lines, begin + i.start_mark.line)) for i in node.value]
        elif isinstance(node, yaml.ScalarNode) and node.value not in ("null", "~"):
            yield Value(keys, lines, str(node.value))


def _xml(text: str, begin: int) -> Iterator[Value]:
    """Attributes and texts of an element; a bare ampersand is read as one."""
    found: list[Value] = []
    above: list[tuple[str, int]] = []
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def take(text: str, *more: str) -> None:
        keys = (*(each[0] for each in above), *more)
        found.append(Value(keys, tuple(each[1] for each in above), text))

    def start(name: str, attributes: dict[str, str]) -> None:
        above.append((name, begin + parser.CurrentLineNumber - 1))
        for key, value in attributes.items():
            take(value, key)

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: above.pop()
    parser.CharacterDataHandler = lambda text: take(text.strip())
    parser.Parse(BARE.sub("&amp;", text), True)
    yield from found


def _toml(node: Any, keys: tuple[str, ...]) -> Iterator[Value]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _toml(value, (*keys, key))
    elif isinstance(node, list):
        for item in node:
            yield from _toml(item, keys)
    else:
        yield Value(keys, (), str(node))


def words_by_file(draft: Draft) -> dict[str, str]:
    """All words that the draft holds, squashed, by the file that they are from."""
    words: dict[str, list[str]] = {}
    for agent in draft.agents:
        said = [agent.id, agent.description, agent.persona, agent.prompt, *_texts(agent.keys)]
        for path in {agent.at.path, *(each.path for each in agent.origins.values())}:
            words.setdefault(path, []).extend(said)
    for flow in draft.flows:
        own = words.setdefault(flow.at.path, [])
        own += [flow.name, flow.description, *_texts(flow.keys)]
        for step in flow.steps:
            said = [*step.notes, *_texts(step.keys)]
            for path in {flow.at.path, step.at.path, *(e.path for e in step.origins.values())}:
                words.setdefault(path, []).extend(said)
    for path, file in draft.files.items():
        words.setdefault(file.at.path, []).append(f"{path} {file.data.decode(errors='replace')}")
    for path in list(words):
        folder, _, name = path.rpartition("/")
        if name == "SKILL.md":  # what stands beside it is of the same agent or workflow
            for beside in ("customize.toml", "bmad-skill-manifest.yaml"):
                words.setdefault(f"{folder}/{beside}".lstrip("/"), []).extend(words[path])
    return {path: squashed("\n".join(texts)) for path, texts in words.items()}


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield str(key)
            yield from _texts(value)
    elif isinstance(node, list):
        for item in node:
            yield from _texts(item)
    else:
        yield str(node)


def is_told(value: Value, accounts: list[Account]) -> bool:
    """Whether the report says, of the value's line or of one that holds it, what became of it.

    Of a column of a table its header has to say it; of TOML, whose parser tells no lines, the key
    has to be named; a file that is the same as another counts as a whole.
    """
    for account in accounts:
        if account.fate == "carried" and not account.why:
            continue
        if account.construct in WHOLE and (account.fate == "left" or account.construct == "team"):
            return True
        if account.construct in ASSETS and account.why.startswith("it is the same as "):
            return True
        if account.construct == "column" and value.keys[:1] == (account.name,):
            return True
        is_named = account.name in (*value.keys, value.text)
        if account.at.line in value.lines and (is_named or account.construct not in BY_KEY):
            return True
        if not value.lines and account.name in value.keys:
            return True
    return False


def is_kept(value: Value, own: str, everywhere: str) -> bool:
    """Whether all that stands between placeholders is there, with an id's dots and such aside."""
    path = PATH.fullmatch(ENTRY.sub("", value.text))  # of a path its last folder and the file
    texts = path.groups() if path else (value.text,)
    pieces = [squashed(piece) for text in texts for piece in FILLED.split(text)]
    return all(piece in (everywhere if len(piece) >= LONG else own) for piece in pieces)


@pytest.mark.parametrize("name", PROJECTS)
def test_every_value_is_carried_over_or_told(name: str) -> None:
    src = CORPUS / name
    draft, _ = importing.translated(src, Diagnostics())
    words = words_by_file(draft)
    everywhere = "\n".join(words.values())
    accounts: dict[str, list[Account]] = {}
    for account in draft.accounts:
        accounts.setdefault(account.at.path, []).append(account)
    assets = {file.at.path for file in draft.files.values()}
    lost = []
    for path in sorted(src.rglob("*")):
        own = path.relative_to(src).as_posix()
        if not path.is_file() or own in assets:
            continue
        for value in values_of(path, path.read_bytes().decode(errors="replace")):
            if is_kept(value, words.get(own, ""), everywhere):
                continue
            if not is_told(value, accounts.get(own, [])):
                lines = value.lines or ("?",)
                lost.append(f"{own}:{lines[-1]}: {'.'.join(value.keys)}: {value.text[:80]!r}")
    assert not lost, f"{len(lost)}\n" + "\n".join(lost[:LISTED])
