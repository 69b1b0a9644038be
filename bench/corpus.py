"""Counts what real projects become: `python -m bench.corpus [--json] [folder …]`.

What should come out is counted here by expressions over the raw files, without the readers, so
that a reader that sees nothing is seen. Times are of the command in a process of its own: cold
(nothing written yet) and unchanged, the best of three.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
COMMAND = ROOT / "scripts" / "bmad2pf.py"
CORPUS = Path(os.environ.get("BMAD2PF_CORPUS") or ROOT.parent / "shared" / "corpus")
TIMES = 3
FENCED = re.compile(r"^```ya?ml[^\n]*\n(?:[^\n]*\n)*?agent:", re.MULTILINE)
XML = re.compile(r"^\s*<agent\b[^>]*\b(?:id|name)=", re.MULTILINE)
AGENT_TABLE = re.compile(r"^\[agent\]", re.MULTILINE)
V4_AGENT_STEP = re.compile(r"^\s+(?:- )?agent: *[\w/|-]+", re.MULTILINE)
NEXT = re.compile(r"^(?:nextStepFile|nextStep): *\S", re.MULTILINE)


@dataclass
class Found:
    """What stands in a project, counted by expressions."""

    agents: int = 0
    workflows: int = 0
    steps: int = 0
    kinds: Counter[str] = field(default_factory=Counter)


@dataclass
class Row:
    """A project of the table. Times are in seconds."""

    name: str
    files: int
    found: Found
    agents: int = 0
    flows: int = 0
    became: dict[str, dict[str, int]] = field(default_factory=dict)
    causes: dict[str, int] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    errors: int = 0
    unplaced: int = 0
    share: float = 0.0
    cold: float = 0.0
    unchanged: float = 0.0


def count(folder: Path) -> Found:
    """Agents, workflows and steps that a project's files speak of."""
    found = Found()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or "/fixtures/" in name:
            continue
        if path.suffix in (".md", ".yaml", ".yml", ".toml", ".csv", ".xml"):
            _count_file(found, name, path, path.read_bytes().decode(errors="replace"))
    found.agents = sum(number for kind, number in found.kinds.items() if "agent" in kind)
    found.workflows = sum(number for kind, number in found.kinds.items() if "workflow" in kind)
    return found


def _count_file(found: Found, name: str, path: Path, text: str) -> None:
    parts = name.split("/")[:-1]
    editors = parts[:1] in ([".claude"], [".github"], [".agents"])
    if path.name.endswith(".agent.yaml"):
        found.kinds["yaml agent"] += 1
    elif path.name == "SKILL.md":
        table = path.with_name("customize.toml")
        manifest = path.with_name("bmad-skill-manifest.yaml")
        is_agent = (table.exists() and AGENT_TABLE.search(table.read_text(encoding="utf-8"))) or (
            manifest.exists() and "type: agent" in manifest.read_text(encoding="utf-8")
        )
        found.kinds["skill" if editors else "skill agent" if is_agent else "skill workflow"] += 1
    elif "agents" in parts and path.suffix == ".md" and not editors and FENCED.search(text):
        found.kinds["fenced agent"] += 1
    elif "agents" in parts and path.suffix == ".md" and XML.search(text):
        found.kinds["xml agent"] += 1
    elif path.name == "workflow.yaml" and re.search(r"^instructions:", text, re.MULTILINE):
        found.kinds["yaml workflow"] += "template" not in name
    elif path.name == "workflow.md" and "workflows" in parts:
        found.kinds["step workflow"] += 1
    elif "workflows" in parts and re.search(r"^workflow: *$", text, re.MULTILINE):
        found.kinds["v4 workflow"] += 1
        found.steps += len(V4_AGENT_STEP.findall(text))
    if path.suffix == ".md" and path.name.startswith("step-"):
        found.kinds["step file"] += 1
        found.kinds["next step"] += len(NEXT.findall(text))
    if path.name == "module-help.csv":
        found.kinds["table row"] += max(
            0, sum(1 for row in csv.reader(io.StringIO(text)) if row) - 1
        )


def run(*words: str) -> tuple[float, subprocess.CompletedProcess[str]]:
    """The command's time in seconds, and what it said."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(COMMAND), *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    return time.perf_counter() - begun, done


def measure(folder: Path) -> Row:
    """One project: imported for its report, compiled for its times."""
    files = sum(path.is_file() for path in folder.rglob("*"))
    row = Row(folder.name, files, count(folder))
    with tempfile.TemporaryDirectory() as place:
        _, done = run("import", str(folder), "--to", f"{place}/bmad", "--output-format", "json")
        if done.returncode == 2:
            raise SystemExit(f"{folder.name}: {done.stderr}")
        told: dict[str, Any] = json.loads(done.stdout)
        row.agents, row.flows, row.share = told["agents"], told["flows"], told["share"]
        row.became = told["counts"]
        row.causes = dict(
            Counter(
                f"{each['construct']}: {each['why']}"
                for each in told["constructs"]
                if each["fate"] == "left" and each["construct"] in ("agent", "step", "workflow")
            )
        )
        cold = []
        for number in range(TIMES):
            out = f"{place}/generated{number}"
            words = ("--src", str(folder), "--out", out, "--keep-going")
            cold.append(run(*words, "--output-format", "json"))
        row.cold = min(seconds for seconds, _ in cold)
        row.unchanged = min(run(*words)[0] for _ in range(TIMES))
        findings = json.loads(cold[0][1].stdout)["findings"]
        row.codes = dict(sorted(Counter(each["code"] for each in findings).items()))
        row.errors = sum(each["severity"] == "error" for each in findings)
        row.unplaced = sum(not each["path"] or not each["line"] for each in findings)
    return row


def table(rows: list[Row]) -> str:
    """The table as Markdown."""
    heads = (
        "project",
        "files",
        "agents found → became",
        "workflows found → became",
        "steps found → became",
        "carried / approximated / left",
        "share",
        "errors",
        "without a place",
        "cold s",
        "unchanged s",
    )
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in rows:
        fates: Counter[str] = Counter()
        for each in row.became.values():
            fates.update(each)
        steps = row.became.get("step", {})
        workflows = row.became.get("workflow", {})
        agents = row.became.get("agent", {})
        found = row.found.steps or row.found.kinds["step file"]
        lines.append(
            f"| {row.name} | {row.files} "
            f"| {row.found.agents} → {agents.get('carried', 0)} ({row.agents} in all) "
            f"| {row.found.workflows} → {_kept(workflows)} ({row.flows} flows) "
            f"| {found} → {_kept(steps)} "
            f"| {fates['carried']} / {fates['approximated']} / {fates['left']} "
            f"| {row.share:.0%} | {row.errors} | {row.unplaced} "
            f"| {row.cold:.2f} | {row.unchanged:.2f} |"
        )
    return "\n".join(lines)


def _kept(fates: dict[str, int]) -> int:
    return fates.get("carried", 0) + fates.get("approximated", 0)


def main() -> None:
    """Print the table, then codes and causes by project."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, help="projects; default: the corpus")
    parser.add_argument("--json", action="store_true", help="all that was counted, as JSON")
    asked = parser.parse_args()
    folders = asked.folders or sorted(path for path in CORPUS.iterdir() if path.is_dir())
    rows = [measure(folder) for folder in folders]
    if asked.json:
        print(json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False))
        return
    print(table(rows))
    for row in rows:
        codes = ", ".join(f"{code} {number}" for code, number in row.codes.items())
        print(f"\n{row.name}: {codes or 'no findings'}")
        for cause, number in sorted(row.causes.items()):
            print(f"  left, {number} times: {cause[:160]}")


if __name__ == "__main__":
    main()
