"""A project into the files of its service; it reads templates and the runtime, writes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from .graphs import graph_json, mermaid
from .layout import Call, Code, assignment, fits, names_import, natural
from .literals import comment, docstring, prose
from .model import Agent, AgentStep, Command, Flow, Project, Tool
from .names import class_name, module_name, variable_name
from .nodes import tuned
from .picture.svg import svg
from .wiring import wire

PACKAGE: Final = Path(__file__).parent.parent
TEMPLATES: Final = PACKAGE / "templates"
RUNTIME: Final = PACKAGE / "runtime"
COPIED: Final = (
    "requirements.txt",
    *(f"requirements-{extra}.txt" for extra in ("anthropic", "google", "openai", "otel", "redis")),
)


def render(project: Project, keep: Collection[str] = ()) -> dict[str, bytes]:
    """Every file that is written for this project, by its path, without the modules in `keep`.

    The project must be valid. Python text is as a formatter would leave it, in all but rare cases.
    """
    templates = _Templates(project.root)
    files = {
        agent_path(agent.id): templates.agent(agent)
        for agent in project.agents
        if agent_path(agent.id) not in keep
    }
    for flow in project.flows:
        name = module_name(flow.name)
        files[f"flows/{name}.py"] = templates.flow(project, flow)
        files[f"graphs/{name}.json"] = graph_json(flow, project)
        files[f"graphs/{name}.mmd"] = mermaid(flow, project)
        files[f"graphs/{name}.svg"] = svg(flow, project)
    files |= {
        "__init__.py": templates.fill("init"),
        "__main__.py": templates.fill("main"),
        "app.py": templates.fill("app"),
        "agents/__init__.py": templates.agents(project.agents),
        "flows/__init__.py": templates.flows(project.flows),
        "tools/__init__.py": templates.tools(project.tools),
    }
    return {path: text.encode() for path, text in files.items()}


def copied_files(project: Project) -> dict[str, bytes]:
    """The files that are taken byte for byte: tools, assets, the runtime, the pins."""
    files = {f"tools/{path}": data for path, data in project.tool_files.items()}
    assets = {asset.path for agent in project.agents for asset in agent.assets}
    steps = (step for flow in project.flows for step in flow.steps())
    assets |= {path for step in steps if isinstance(step, AgentStep) for path in step.shows}
    files |= {f"assets/{path}": project.referred[path] for path in sorted(assets)}
    files |= {name: (TEMPLATES / name).read_bytes() for name in COPIED}
    for path in sorted(RUNTIME.rglob("*")):
        if path.is_file() and path.suffix != ".pyc" and "__pycache__" not in path.parts:
            files[f"runtime/{path.relative_to(RUNTIME).as_posix()}"] = path.read_bytes()
    return files


def agent_path(id: str) -> str:
    """Where an agent's module stands in the tree."""
    return f"agents/{module_name(id)}.py"


@cache
def _template(name: str) -> Template:
    return _environment().get_template(f"{name}.py.j2")


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  Python, not HTML; author text comes through literals
    )


class _Templates:
    """The templates filled for one project."""

    def __init__(self, root: str) -> None:
        self._root = root

    def fill(self, name: str, **values: Any) -> str:
        return _template(name).render(values, source=comment(f"{self._root}/"))

    def agent(self, agent: Agent) -> str:
        long_persona = bool(agent.persona) and (
            "\n" in agent.persona or not fits("persona", agent.persona, 4)
        )
        return _template("agent").render(
            source=comment(agent.path),
            budget=agent.budget is not None,
            output=assignment("OUTPUT", agent.output) if agent.output is not None else "",
            docstring=docstring(agent.description) if agent.description else "",
            prompt=prose(agent.prompt),
            persona=prose(agent.persona) if long_persona else "",
            name=class_name(agent.id),
            attributes=[assignment(*pair, indent=4) for pair in _attributes(agent, long_persona)],
        )

    def agents(self, agents: tuple[Agent, ...]) -> str:
        ids = sorted(agent.id for agent in agents)
        modules = sorted(ids, key=lambda each: natural(module_name(each)))
        return self.fill(
            "agents",
            imports=[names_import(f".{module_name(each)}", [class_name(each)]) for each in modules],
            agents=assignment("AGENTS", tuple(Code(class_name(each)) for each in ids)),
        )

    def flow(self, project: Project, flow: Flow) -> str:
        wiring = wire(project, flow)
        imports = [names_import("..agents", wiring.agents)] if wiring.agents else []
        imports += [names_import(f"..runtime.{module}", [name]) for module, name in wiring.runtime]
        if wiring.flows:
            imports.append(names_import(".", wiring.flows))
        return self.fill(
            "flow",
            origin=comment(flow.path or f"{self._root}/agents/"),
            edit="that file" if flow.path else "the files there",
            docstring=docstring(flow.description) if flow.description else "",
            imports=imports,
            wiring=wiring,
        )

    def flows(self, flows: tuple[Flow, ...]) -> str:
        modules = sorted((module_name(flow.name) for flow in flows), key=natural)
        table = {flow.name: _flow(flow) for flow in flows}
        return self.fill(
            "flows",
            imports=names_import(".", modules) if modules else "",
            flows=assignment("FLOWS", table),
        )

    def tools(self, tools: tuple[Tool, ...]) -> str:
        names = _tool_names(tools)
        imports = _tool_imports(tools, names)
        table = tuple(_tool(tool, names[tool.name]) for tool in tools)
        return self.fill("tools", imports=imports, tools=assignment("TOOLS", table))


def _attributes(agent: Agent, long_persona: bool) -> Iterator[tuple[str, object]]:
    """The class attributes that are not the runtime's defaults, in their fixed order."""
    yield "id", agent.id
    yield "prompt", Code("PROMPT")
    if agent.persona:
        yield "persona", Code("PERSONA") if long_persona else agent.persona
    tuning = dict(tuned(agent))
    scope = tuning.pop("memory_scope", "isolated")
    recall = tuning.pop("memory_recall", 0)
    for name, value in (
        ("tools", agent.tools),
        ("memory_scope", "" if scope == "isolated" else scope),
        ("memory_recall", recall),
        ("wait_for_docs", agent.wait_for_docs),
        ("wait_for_agents", agent.wait_for_agents),
        ("reads", agent.reads),
        ("assets", tuple(asset.path for asset in agent.assets if not asset.inline)),
        ("inline", tuple(asset.path for asset in agent.assets if asset.inline)),
        ("commands", tuple(map(_command, agent.commands))),
        ("creates", agent.creates),
        ("template", agent.template),
        ("actions", agent.actions),
        ("output", Code("OUTPUT") if agent.output is not None else None),
    ):
        if value:
            yield name, value
    yield from tuning.items()


def _command(command: Command) -> tuple[object, ...]:
    """`(name, text)`, with the files that go with it where there are any."""
    return (command.name, command.text, *([command.shows] if command.shows else ()))


def _flow(flow: Flow) -> Call:
    given: list[tuple[str, object]] = []
    if flow.description:
        given.append(("description", flow.description))
    if flow.on_missing_doc is not None:
        given.append(("on_missing_doc", flow.on_missing_doc))
    build = Code(f"{module_name(flow.name)}.build")
    return Call("Flow", (flow.name, build), tuple(given))


def _tool(tool: Tool, name: str) -> Call:
    given: list[tuple[str, object]] = [
        ("description", tool.description),
        ("parameters", tool.parameters),
    ]
    if tool.timeout is not None:
        given.append(("timeout", tool.timeout))
    return Call("Tool", (tool.name, Code(name)), tuple(given))


def _tool_names(tools: tuple[Tool, ...]) -> dict[str, str]:
    """What each tool's function is called in the registry: its own name where only it has it."""
    homes: dict[str, set[str]] = {"Tool": {""}, "TOOLS": {""}}
    for tool in tools:
        homes.setdefault(tool.call, set()).add(_tool_module(tool))
    return {
        tool.name: tool.call if len(homes[tool.call]) == 1 else f"{variable_name(tool.name)}_tool"
        for tool in tools
    }


def _tool_module(tool: Tool) -> str:
    return f".{tool.module}" if tool.source else tool.module


def _tool_imports(tools: tuple[Tool, ...], names: dict[str, str]) -> list[str]:
    """Import lines as import sorters want them: installed modules, a blank line, our own."""
    if not tools:
        return []
    wanted: dict[str, set[str]] = {}
    for tool in tools:
        renamed = "" if names[tool.name] == tool.call else f" as {names[tool.name]}"
        wanted.setdefault(_tool_module(tool), set()).add(tool.call + renamed)
    lines = {module: names_import(module, wanted[module]) for module in sorted(wanted, key=natural)}
    installed = [line for module, line in lines.items() if not module.startswith(".")]
    own = [line for module, line in lines.items() if module.startswith(".")]
    blank = [""] if installed else []
    return [*installed, *blank, "from ..runtime.tool import Tool", *own]
