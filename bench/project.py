"""A BMAD project of any size, the input of our compiler."""

from __future__ import annotations

from pathlib import Path

_AGENT = """\
---
id: {id}
description: Looks at part {number} of the product and says what is missing.
memory_scope: shared:part-{group}
persona: A patient colleague who reads to the end before answering.
wait_for:
  agents: [{before}]
commands:
  - short: Answer in three sentences.
creates: part-{number}.md
temperature: 0.2
max_tokens: 800
---
# Part {number}

You look at part {number} of a product: what it promises, what it costs and what could go wrong.
{remark}

- Read what the others found before you write.
- Name every assumption, with the person who could confirm it.
- Prefer a figure to an adjective; say where the figure comes from.
- When something is missing, ask one question, not five.

## Answer

1. One sentence that a stranger understands.
2. The three strongest facts, each on a line of its own.
3. The one risk that matters, and the cheapest way to test it this week.
"""


def agent_ids(count: int) -> list[str]:
    """`part-0001`, …"""
    return [f"part-{number:04}" for number in range(1, count + 1)]


def write(folder: Path, count: int) -> None:
    """`folder`/bmad with `count` agents of about 0.9 kB and a flow that holds them all."""
    agents = folder / "bmad" / "agents"
    agents.mkdir(parents=True)
    for number in range(1, count + 1):
        write_agent(folder, number)
    steps = "".join(f"      - {agent}\n" for agent in agent_ids(count))
    flow = f"flows:\n  default:\n    description: All parts in order.\n    sequence:\n{steps}"
    (folder / "bmad" / "workflow.yaml").write_text(flow, encoding="utf-8")


def write_agent(folder: Path, number: int, remark: str = "") -> None:
    """(Re)write one agent; another `remark` edits it. Each waits for the one before."""
    name = f"part-{number:04}"
    before = "" if number % 10 == 1 else f"part-{number - 1:04}"
    text = _AGENT.format(id=name, number=number, group=number // 10, before=before, remark=remark)
    (folder / "bmad" / "agents" / f"{name}.md").write_text(text, encoding="utf-8")


def count_files(folder: Path) -> int:
    """All files below `folder`, bytecode aside."""
    return sum(path.is_file() and path.suffix != ".pyc" for path in folder.rglob("*"))
