"""Steps that are always sent a long text."""

from __future__ import annotations

from pathlib import Path

from scripts.compiler.diagnostics import Diagnostic
from tests.compiler.reading import read

LONG = "ten chars\n" * 3_000  # 7,500 tokens
FLOW = "flows: {default: {sequence: [{agent: a, task: [one.md, two.md]}]}}\n"


def told(tmp_path: Path, files: dict[str, str]) -> list[Diagnostic]:
    _, found = read(tmp_path, files)
    return [each for each in found if each.code == "BMAD508"]


def test_a_step_that_is_shown_too_much_is_told_with_the_longest_file(tmp_path: Path) -> None:
    files = {"agents/a.md": "Work.\n", "workflow.yaml": FLOW, "tasks/one.md": LONG}
    [found] = told(tmp_path, {**files, "tasks/two.md": f"{LONG}more"})
    assert (found.severity, found.path, found.line) == ("note", "bmad/workflow.yaml", 1)
    said = 'the step "a" is always sent about 15,002 tokens, 7,501 of them "tasks/two.md"'
    assert found.message == said
    assert found.hint is not None
    assert found.hint.startswith("list the file with the agent alone")


def test_files_that_are_read_when_wanted_do_not_count(tmp_path: Path) -> None:
    agent = "---\ntasks: [one.md, two.md]\n---\nWork.\n"
    files = {"agents/a.md": agent, "tasks/one.md": LONG, "tasks/two.md": LONG}
    assert told(tmp_path, files) == []


def test_a_long_prompt_is_to_blame_itself(tmp_path: Path) -> None:
    [found] = told(tmp_path, {"agents/a.md": LONG * 2})
    assert found.message == 'the step "a" is always sent about 15,000 tokens'
    assert (found.path, found.line) == ("bmad/agents/a.md", 1)
    assert found.hint == "shorten its agent's text, or its note"


def test_a_template_counts_as_the_outline_that_is_sent(tmp_path: Path) -> None:
    """Its YAML is indented; the outline is not."""
    sections = "".join(f"{' ' * 60}- {{title: Part {n}}}\n" for n in range(900))
    template = f"template: {{id: t, output: {{filename: t.md}}}}\nsections:\n{sections}"
    assert len(template) > 4 * 12_000
    flow = "flows: {default: {sequence: [{agent: a, template: t.yaml}]}}\n"
    files = {"agents/a.md": "Work.\n", "workflow.yaml": flow, "templates/t.yaml": template}
    assert told(tmp_path, files) == []
    longer = template + "".join(f"{' ' * 60}- {{title: {'more ' * 60}}}\n" for _ in range(150))
    [found] = told(tmp_path, {**files, "templates/t.yaml": longer})
    assert 'of them "templates/t.yaml"' in found.message


def test_a_template_that_another_agent_holds_in_its_text_counts_in_full_there(
    tmp_path: Path,
) -> None:
    sections = "".join(f"{' ' * 60}- {{title: Part {n}}}\n" for n in range(900))
    template = f"template: {{id: t, output: {{filename: t.md}}}}\nsections:\n{sections}"
    flow = "flows: {default: {sequence: [{agent: a, template: t.yaml}, b]}}\n"
    agent = "---\ntemplates: [{file: t.yaml, inline: true}]\n---\nWork.\n"
    files = {"agents/a.md": "Work.\n", "agents/b.md": agent, "workflow.yaml": flow}
    [found] = told(tmp_path, {**files, "templates/t.yaml": template})
    assert found.message.startswith('the step "b" is always sent')
