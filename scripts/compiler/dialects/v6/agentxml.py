"""Agents in XML, as early installs of v6 have them inside Markdown.

Read with expat of the standard library. A document type is refused before anything is
parsed, so that no entity can be declared; nothing outside the file is ever looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from ...diagnostics import quoted
from ..draft import Origin
from ..tree import ForeignTree
from .agentyaml import triggers_name
from .fields import lines_of
from .persona import INTERACTIVE, Item, Left, Persona, is_words, slug

MAX_DEPTH: Final = 64
_AGENT: Final = re.compile(r"<agent\b[^>]*>")
_END: Final = "</agent>"
_DECLARATION: Final = re.compile(r"<!(?:DOCTYPE|ENTITY|ELEMENT|ATTLIST)\b", re.IGNORECASE)
_BARE: Final = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9A-Fa-f]{1,6});)")
# A "<": of an element with its name, of what else XML has (`</`, `<!--`, `<?`), or of nothing.
_OPENS: Final = re.compile(
    r"<(?:(?P<name>[A-Za-z_][\w.-]*)(?=[\s/>])(?P<closed>[^<>]*/>)?|(?P<other>/[A-Za-z_]|!--|!\[|\?))?"
)
_TARGETS: Final = ("run-workflow", "workflow", "validate-workflow", "exec", "tmpl", "data")
# The elements of an agent: one that is not closed is a fault and no word in angle brackets.
_ELEMENTS: Final = re.compile(
    r"agent|persona|role|identity|communication_style|(?:core_)?principles|activation|step|rules?|r"
    r"|menu(?:-handlers)?|handlers?|item|cmds|c|prompts?|content|i|critical[-_]actions"
    r"|command-resolution|execution-rules"
)
_INTERACTIVE: Final = frozenset(
    {"activation", "command-resolution", "execution-rules", "menu-handlers", "rules"}
)
_CONFIG: Final = re.compile(r"config\.yaml|user_name|communication_language|\bgreet", re.IGNORECASE)
_GIVEN: Final = re.compile(r"(?<=\s)[\[<{].*")
_CODE: Final = re.compile(r"^\[[A-Za-z0-9 _-]{1,8}\]\s*")


@dataclass(slots=True)
class Element:
    """One element; `text` is what stands in it before, between and after its children."""

    name: str
    attributes: dict[str, str]
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def find(self, *names: str) -> Element | None:
        """The first child of one of these names."""
        return next((child for child in self.children if child.name in names), None)

    def whole(self) -> str:
        """All the text below it, one line for each element that holds some."""
        own = " ".join(self.text.split())
        return "\n".join(part for part in (own, *(c.whole() for c in self.children)) if part)


class _Builder:
    def __init__(self, first_line: int) -> None:
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.characters
        self.first_line = first_line
        self.stack: list[Element] = []
        self.root: Element | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise expat.ExpatError(f"elements are nested more than {MAX_DEPTH} deep")
        line = self.parser.CurrentLineNumber + self.first_line - 1
        element = Element(name, attributes, line)
        if self.stack:
            self.stack[-1].children.append(element)
        elif self.root is None:
            self.root = element
        self.stack.append(element)

    def end(self, _name: str) -> None:
        self.stack.pop()

    def characters(self, text: str) -> None:
        if self.stack:
            self.stack[-1].text += text


def parse(tree: ForeignTree, path: str, text: str, first_line: int) -> Element | None:
    """The root element; None when there is none, which was reported at its line."""
    declared = _DECLARATION.search(text)
    if declared is not None:
        line = text.count("\n", 0, declared.start()) + first_line
        message = f"{quoted(declared[0])} is refused: XML here declares no types and no entities"
        tree.diagnostics.add("BMAD633", tree.at(path, line), message, "remove the declaration")
        return None
    bare = _BARE.search(text)
    if bare is not None:
        line = text.count("\n", 0, bare.start()) + first_line
        message = 'an "&" stands here by itself and is read as one'
        tree.diagnostics.add("BMAD638", tree.at(path, line), message, "write &amp;")
        text = _BARE.sub("&amp;", text)
    text = _without_stray(tree, path, text, first_line)
    builder = _Builder(first_line)
    try:
        builder.parser.Parse(text, True)
    except expat.ExpatError as error:
        line = getattr(error, "lineno", 1) + first_line - 1
        column = getattr(error, "offset", 0) + 1
        message = (
            f"the XML is not well-formed: {expat.ErrorString(getattr(error, 'code', 0)) or error}"
        )
        hint = "close each element in the order in which it was opened, and write < as &lt;"
        tree.diagnostics.add("BMAD632", tree.at(path, line, column), message, hint)
        return None
    return builder.root


def _without_stray(tree: ForeignTree, path: str, text: str, first_line: int) -> str:
    """`text` with each `<` that begins no element written as `&lt;`; the first is told.

    Such a one has no name behind it, or one that BMAD does not use and that is never closed.
    """

    more = len(_AGENT.findall(text)) - text.count(_END)  # `<agent id="…">` in a sentence

    def is_stray(found: re.Match[str]) -> bool:
        name = found["name"]
        if name == "agent" and found.start() > 0 and more > 0:
            return True
        if name is None:
            return not found["other"]
        if _ELEMENTS.fullmatch(name) or found["closed"]:
            return False
        return f"</{name}" not in text

    stray = [found for found in _OPENS.finditer(text) if is_stray(found)]
    if not stray:
        return text
    line = text.count("\n", 0, stray[0].start()) + first_line
    message = 'a "<" stands here by itself and is read as one'
    tree.diagnostics.add("BMAD638", tree.at(path, line), message, "write &lt;")
    parts, end = [], 0
    for found in stray:
        parts += [text[end : found.start()], "&lt;"]
        end = found.start() + 1
    return "".join((*parts, text[end:]))


def read_agent(tree: ForeignTree, path: str) -> Persona | None:
    """The agent of a Markdown file that holds one; None when it cannot be read, which was told."""
    text = tree.text(path) or ""
    opening = _AGENT.search(text)
    if opening is None:
        return None
    line = text.count("\n", 0, opening.start()) + 1
    end = text.find(_END, opening.end())
    if end < 0:
        message = "the XML is not well-formed: the <agent> that begins here is not closed"
        tree.diagnostics.add("BMAD632", tree.at(path, line), message, f"write {_END} below it")
        return None
    second = _AGENT.search(text, end)
    if second is not None:
        at = tree.at(path, text.count("\n", 0, second.start()) + 1)
        message = "a second <agent> begins here, and is left out"
        tree.diagnostics.add("BMAD631", at, message, "move it to a file of its own")
    root = parse(tree, path, text[opening.start() : end + len(_END)], line)
    return None if root is None else _persona(tree, path, root)


def _persona(tree: ForeignTree, path: str, root: Element) -> Persona:
    stem = path.rpartition("/")[2].removesuffix(".md")
    about = root.attributes
    persona = Persona(
        id=stem,
        at=Origin(path, root.line),
        name=about.get("name", ""),
        title=about.get("title", ""),
        description=about.get("capabilities", ""),
    )
    _who(persona, root.find("persona"))
    prompts = _prompts(root)
    _leave(persona, about)
    _actions(persona, root.find("critical-actions", "critical_actions"))
    for child in root.children:
        if child.name in _INTERACTIVE:
            persona.drop(Origin(path, child.line), child.name)
        elif child.name in ("menu", "cmds"):
            _menu(tree, path, persona, child, prompts)
        elif child.name not in ("persona", "prompts", "critical-actions", "critical_actions"):
            title = child.name.replace("-", " ").replace("_", " ").capitalize()
            persona.sections.append((title, child.whole()))
    return persona


def _leave(persona: Persona, about: dict[str, str]) -> None:
    """Say what no part of an agent is made of, of the attributes of its element."""
    for name, value in about.items():
        if name == "id" and slug(value.rpartition("/")[2].partition(".")[0]) != slug(persona.id):
            why = f"its file's name is its id: {persona.id}"
            persona.left.append(Left(persona.at, name, why))
        elif name not in ("id", "name", "title", "capabilities"):
            why = "only an editor shows it" if name == "icon" else "it is for who installs agents"
            persona.left.append(Left(persona.at, name, why))


def _who(persona: Persona, element: Element | None) -> None:
    for child in element.children if element else ():
        text = child.whole()
        if child.name == "role":
            persona.role = text
        elif child.name == "identity":
            persona.identity = text
        elif child.name == "communication_style":
            persona.style = text
        elif child.name in ("principles", "core_principles"):
            persona.principles = (
                [inner.whole() for inner in child.children]
                if child.children
                else lines_of(child.text.strip())
            )
        elif text:
            persona.sections.append((child.name.replace("_", " ").capitalize(), text))


def _prompts(root: Element) -> dict[str, str]:
    found = root.find("prompts")
    return {
        child.attributes.get("id", ""): child.whole() for child in (found.children if found else ())
    }


def _actions(persona: Persona, element: Element | None) -> None:
    kept = []
    for child in element.children if element else ():
        text = child.whole()
        if _CONFIG.search(text):
            persona.drop(Origin(persona.at.path, child.line), child.name)
            continue
        kept.append(text)
        for name in child.attributes:
            at = Origin(persona.at.path, child.line)
            persona.left.append(Left(at, name, "all of them are told to be done always"))
    if kept:
        persona.sections.append(("Always", "\n".join(f"- {text}" for text in kept)))


def _menu(
    tree: ForeignTree, path: str, persona: Persona, menu: Element, prompts: dict[str, str]
) -> None:
    seen = {item.name for item in persona.menu}
    for child in menu.children:
        written = child.attributes.get("cmd") or child.attributes.get("trigger") or ""
        name = triggers_name(written)
        if not name or name in INTERACTIVE:
            persona.drop(Origin(path, child.line), name or child.name)
        elif name in seen:
            at = tree.at(path, child.line)
            message = f"the command {quoted(name)} stands twice; the first is read"
            tree.diagnostics.add("BMAD631", at, message, "remove one of them")
        else:
            seen.add(name)
            item = _item(path, name, child, prompts)
            persona.menu.append(item)
            given = _GIVEN.search(written)
            if given is not None:
                item.text = f"{item.text}\n\nIts input: {given[0]}".strip()
                persona.told.append((item.at, written, "what is given with it is its input"))


def _item(path: str, name: str, element: Element, prompts: dict[str, str]) -> Item:
    texts = [_CODE.sub("", element.whole())]
    action = element.attributes.get("action", "")
    if action:
        texts.append(prompts.get(action[1:], "") if action.startswith("#") else action)
    targets = []
    for target in _TARGETS:
        value = element.attributes.get(target, "")
        if not value or value == "todo":
            continue
        # `exec` may hold an instruction in words as well as a file.
        if is_words(value):
            texts.append(value)
        else:
            targets.append(value)
    text = "\n\n".join(text for text in texts if text)
    return Item(name, text, Origin(path, element.line), targets)
