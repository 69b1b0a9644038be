"""Reads a source folder into a Project: every file once, every finding kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from ..runtime import spec
from ..runtime.yamltext import FaultKind, Mapping, YamlFault, read
from . import graph, sources, translate
from .checks import check
from .diagnostics import Diagnostics, Position, quoted
from .dialects import flows, native, tools
from .dialects.fields import stray_character
from .frontmatter import NotClosed, mistaken, split
from .meant import meant
from .model import Agent, Flow, Project, Tool
from .promptlength import check_prompts
from .referred import Named
from .sparing import spared

_YAML_CODES: Final[dict[FaultKind, str]] = {
    "syntax": "BMAD105",
    "reference": "BMAD106",
    "duplicate": "BMAD107",
    "size": "BMAD103",
    "character": "BMAD115",
}
_SOURCE_CODES: Final[dict[sources.FaultKind, str]] = {
    "unreadable": "BMAD101",
    "special": "BMAD113",
    "large": "BMAD103",
    "name": "BMAD115",
    "unread": "BMAD117",
}
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


def load(
    src: Path,
    shown: str,
    diagnostics: Diagnostics,
    found: translate.Sources | None = None,
    *,
    keep_going: bool = False,
) -> Project:
    """The project in `src`, checked; `shown` is how messages call that folder.

    `found` is what `translate.understand` made of it, where that has been asked already. Raises
    OSError when `src` cannot be listed. A project with errors is complete enough to be looked
    at, and must not be compiled, but with `keep_going`: then what is broken is left out.
    """
    found = found or translate.understand(src, shown, diagnostics)
    if not found.dialect:
        return _load(src, shown, diagnostics, found, keep_going=keep_going)
    own = Diagnostics()
    project = _load(src, shown, own, found, keep_going=keep_going)
    home = f"{shown}/"
    diagnostics.extend(translate.at_home(each, home, found.origins) for each in own)
    return translate.homed(project, found.origins)


def _load(
    src: Path, shown: str, diagnostics: Diagnostics, found: translate.Sources, *, keep_going: bool
) -> Project:
    files, faults = found.files, found.faults
    for fault in faults:
        at = Position(f"{shown}/{fault.path}", 1 if found.dialect else 0)
        diagnostics.add(_SOURCE_CODES[fault.kind], at, fault.message, fault.hint)
    broken = {fault.path for fault in faults if fault.kind in ("unreadable", "special", "large")}
    reader = _Reader(src.resolve().name, shown, diagnostics, broken)
    texts = {
        name: reader.decode(name, data)
        for name, data in files
        if not name.startswith(sources.TOOLS)
    }
    tool_files = {n.removeprefix(sources.TOOLS): d for n, d in files if n.startswith(sources.TOOLS)}
    named = Named(src, shown, diagnostics, found.take)
    agents = tuple(map(named.read_agent, reader.agents(texts, partial(_first_agent, src))))
    project = Project(
        root=reader.root,
        agents=agents,
        flows=tuple(map(named.read_flow, reader.flows(texts, agents))),
        tools=reader.tools(texts, tool_files),
        tool_files=tool_files,
        referred=named.data,
    )
    if "agents" not in broken:
        wrong = {found.path for found in diagnostics if found.severity == "error"}
        flows_known = not any(path.startswith(f"{shown}/workflow") for path in wrong)
        tools_known = not broken & {"tools", "tools.yaml"}
        check(project, diagnostics, tools_known=tools_known, flows_known=flows_known)
    check_prompts(project, diagnostics)
    if keep_going and diagnostics.has("error"):
        project = spared(project, diagnostics)
    bounded = tuple(graph.bounded(flow, project) for flow in project.flows)
    return replace(project, flows=bounded)


def _first_agent(src: Path) -> str:
    """The hint for a folder without agents."""
    near = meant(src)
    if near:
        return f"there are some in {quoted(near)}: name that folder with --src"
    return 'write the first one: "agents/analyst.md"'


Texts = dict[str, str | None]  # by name; None for what is no text, which was reported


class _Reader:
    """Understands the files of one source folder; `broken` are those that could not be used."""

    def __init__(self, root: str, shown: str, diagnostics: Diagnostics, broken: set[str]) -> None:
        self.root = root
        self.shown = shown
        self.diagnostics = diagnostics
        self.broken = broken

    def path(self, name: str) -> str:
        return f"{self.shown}/{name}"

    def decode(self, name: str, data: bytes) -> str | None:
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            self._report_encoding(name, data, error.start)
            self.broken.add(name)
            return None
        stray = stray_character(text)
        if stray is not None:
            at = Position(self.path(name), *_count(text, stray))
            message = (
                f"the control character U+{ord(text[stray]):04X} cannot stand in a source file"
            )
            self.diagnostics.add("BMAD115", at, message, "remove it")
            self.broken.add(name)
        return text if stray is None else None

    def _report_encoding(self, name: str, data: bytes, start: int) -> None:
        if data.startswith(_UTF_16):
            at, message = Position(self.path(name), 1, 1), "the file is UTF-16, not UTF-8"
        else:
            line = data.count(b"\n", 0, start) + 1
            column = len(data[data.rfind(b"\n", 0, start) + 1 : start].decode()) + 1
            at = Position(self.path(name), line, column)
            message = f"the byte 0x{data[start]:02X} is not UTF-8"
        self.diagnostics.add("BMAD102", at, message, "save the file as UTF-8")

    def agents(self, texts: Texts, hint: Callable[[], str]) -> tuple[Agent, ...]:
        names = {name for name in {*texts, *self.broken} if name.startswith("agents/")}
        found = [self._agent(name, texts.get(name)) for name in sorted(names)]
        self._check_unique(found)
        if not found and "agents" not in self.broken:
            at = Position(self.shown)
            self.diagnostics.add("BMAD116", at, 'there are no agents: no "agents/*.md"', hint())
        return tuple(sorted(found, key=lambda agent: agent.id))

    def _agent(self, name: str, text: str | None) -> Agent:
        stem = name.removeprefix("agents/").removesuffix(".md")
        file = native.AgentFile(self.path(name), f"{self.root}/{name}", stem)
        if text is None:
            return native.placeholder(file)
        try:
            matter = split(text)
        except NotClosed:
            message = "front-matter is opened here and not closed"
            hint = "end it with a line that is ---"
            self.diagnostics.add("BMAD104", Position(file.path, 1, 1), message, hint)
            return native.placeholder(file, text)
        if matter.yaml is None:
            self._check_beginning(file, text)
            node = Mapping((), 1, 1)
        else:
            root = self.mapping(name, matter.yaml, "front-matter", matter.yaml_line)
            if root is None:
                return native.placeholder(file, matter.yaml, matter.yaml_line)
            node = root
        return native.read_agent(file, node, matter.body, self.diagnostics)

    def _check_beginning(self, file: native.AgentFile, text: str) -> None:
        line = mistaken(text, native.KEYS)
        if line is None:
            return
        message = "this looks like front-matter, but the first line is not ---"
        hint = "let the file begin with a line that is ---; now all of it is the prompt"
        self.diagnostics.add("BMAD119", Position(file.path, line, 1), message, hint)

    def _check_unique(self, agents: list[Agent]) -> None:
        seen: dict[str, Agent] = {}
        # An id that was written is to blame, not the one that a file's name gives.
        for agent in sorted(agents, key=lambda agent: agent.at.get("id") is not None):
            first = seen.setdefault(spec.id_key(agent.id), agent)
            if first is not agent:
                at = agent.at.get("id", agent.at[""])
                same = "taken by" if first.id == agent.id else f"too near to {quoted(first.id)} of"
                message = f"the id {quoted(agent.id)} is {same} {first.at[''].path}"
                hint = "give one of them another id; case, - and _ make no difference"
                self.diagnostics.add("BMAD112", at, message, hint)

    def mapping(self, name: str, text: str, what: str, first_line: int = 1) -> Mapping | None:
        """The mapping that `text` is; an empty one when it has no content, None when refused."""
        root, faults = read(text, first_line=first_line)
        for fault in faults:
            self._report_yaml(name, fault)
        if isinstance(root, Mapping):
            return root
        if root is None and not faults:
            return Mapping((), first_line, 1)
        self.broken.add(name)
        if root is None:
            return None
        at = Position(self.path(name), root.line, root.column)
        hint = "write key: value on each line"
        self.diagnostics.add("BMAD109", at, f"{what} is no mapping of keys to values", hint)
        return None

    def _report_yaml(self, name: str, fault: YamlFault) -> None:
        at = Position(self.path(name), fault.line, fault.column)
        self.diagnostics.add(_YAML_CODES[fault.kind], at, fault.message, fault.hint)

    def flows(self, texts: Texts, agents: tuple[Agent, ...]) -> tuple[Flow, ...]:
        parallel = frozenset(agent.id for agent in agents if agent.parallel)
        before = len(self.diagnostics)
        found: list[Flow] = []
        for name, text in texts.items():
            if text is not None and (name == "workflow.yaml" or name.startswith("workflows/")):
                root = self.mapping(name, text, "the file")
                file = flows.FlowFile(self.path(name), f"{self.root}/{name}", parallel)
                found += flows.read_flows(file, root, self.diagnostics) if root else ()
        self._check_flow_names(found)
        written = any(name.startswith("workflow") for name in self.broken)
        if not found and not written and len(self.diagnostics) == before:
            found.append(graph.default_flow(agents))
        return tuple(found)

    def _check_flow_names(self, found: list[Flow]) -> None:
        seen: dict[str, Flow] = {}
        for flow in found:
            first = seen.setdefault(spec.id_key(flow.name), flow)
            if first is not flow:
                same = "also" if first.name == flow.name else f"too near to {quoted(first.name)}"
                message = (
                    f"the flow {quoted(flow.name)} is {same} in {first.at.path}:{first.at.line}"
                )
                hint = "rename one of them; case, - and _ make no difference"
                self.diagnostics.add("BMAD308", flow.at, message, hint)

    def tools(self, texts: Texts, files: dict[str, bytes]) -> tuple[Tool, ...]:
        file = tools.ToolsFile(self.root, self.path("tools.yaml"), self.path("tools"), files)
        tools.check_files(file, self.diagnostics)
        text = texts.get("tools.yaml")
        root = None if text is None else self.mapping("tools.yaml", text, "the file")
        return tuple(tools.read_tools(file, root, self.diagnostics)) if root else ()


def _count(text: str, index: int) -> tuple[int, int]:
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)
