"""A project of ten agents in a row, compiled and served: what `/run` is measured with."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from .load import post
from .options import ROOT
from .process import environment, measure
from .shapes import ANSWER

STEPS = 10
_AGENT = "---\ndescription: Looks at the idea.\n---\nYou look at the idea. Say what is missing.\n"


def compiled(folder: Path, outputs: str) -> Path:
    """`folder` with a compiled project; `outputs` is what `documents.save_outputs` says."""
    names = [f"a{number}" for number in range(STEPS)]
    agents = folder / "bmad" / "agents"
    agents.mkdir(parents=True)
    for name in names:
        (agents / f"{name}.md").write_text(_AGENT, encoding="utf-8")
    flow = "flows:\n  one:\n    sequence:\n      - a0\n  default:\n    sequence:\n"
    flow += "".join(f"      - {name}\n" for name in names)
    (folder / "bmad" / "workflow.yaml").write_text(flow, encoding="utf-8")
    settings = (
        "llm:\n  provider: bench.workers.constant_model:Constant\n  max_concurrency: 1000\n"
        f"documents:\n  save_outputs: {outputs}\n"
    )
    (folder / "config").mkdir()
    (folder / "config" / "runtime.yaml").write_text(settings, encoding="utf-8")
    script = str(ROOT / "scripts" / "bmad2pf.py")
    measure([sys.executable, script], folder, environment(folder))
    return folder


def requests(
    connections: int, *, story: str = "S", flow: str = "default", **headers: str
) -> list[str]:
    """A `POST /run` for each connection, on a story of its own; the flow `one` has one step."""
    return [
        post(
            "/run",
            json.dumps(
                {
                    "flow": flow,
                    "input": "A shopping list that two people share.",
                    "story_id": f"{story}-{number}",
                    "inputs": {"audience": "flats"},
                }
            ),
            **headers,
        )
        for number in range(connections)
    ]


EXPECTED = ANSWER  # ten times in an answer, once for each step
