"""Counts what real projects become: `python -m bench.corpus [--json] [folder …]`.

What should come out is read here without the compiler's readers, so that a reader that sees
nothing is seen: agents by `bench.agents`, steps of v4 workflows by `bench.declared`, and whether
a step has become one with the right agent, documents and place by `bench.judged`. The rest is
listed by cause. Times are of the command in a process of its own: cold (nothing written yet) and
unchanged, the best of three.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from . import agents, judged, made
from .judged import Verdict

ROOT = Path(__file__).resolve().parent.parent
COMMAND = ROOT / "scripts" / "bmad2pf.py"
CORPUS = Path(os.environ.get("BMAD2PF_CORPUS") or ROOT.parent / "shared" / "corpus")
TIMES = 3
SUFFIXES = (".md", ".yaml", ".yml")


@dataclass
class Row:
    """A project of the table.

    `became` counts constructs of the report by fate; `missing` says which agents are none, and
    why; times are in seconds.
    """

    name: str
    files: int
    kinds: Counter[str]
    agents: int = 0
    flows: int = 0
    parseable: int = 0
    missing: list[str] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    became: dict[str, dict[str, int]] = field(default_factory=dict)
    causes: dict[str, int] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    errors: int = 0
    unplaced: int = 0
    share: float = 0.0
    cold: float = 0.0
    unchanged: float = 0.0

    @property
    def right(self) -> int:
        """The steps with the right agent, documents and place."""
        return sum(not verdict.cause for verdict in self.verdicts)

    @property
    def found(self) -> int:
        """The parseable agents that are agents."""
        return self.parseable - sum(each.startswith("no agent") for each in self.missing)


def kinds(folder: Path) -> Counter[str]:
    """Workflows and files of steps that a project's files speak of, by expressions."""
    found: Counter[str] = Counter()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and "/fixtures/" not in name and path.suffix in SUFFIXES:
            found[_kind(folder, path, path.read_bytes().decode(errors="replace"))] += 1
    del found[""]
    return found


def _kind(folder: Path, path: Path, text: str) -> str:
    parts = path.relative_to(folder).parts
    if path.name == "workflow.yaml" and re.search(r"^instructions:", text, re.MULTILINE):
        return "" if "template" in "/".join(parts) else "workflow"
    if path.name == "workflow.md" and "workflows" in parts:
        return "workflow"
    if "workflows" in parts and re.search(r"^workflow: *$", text, re.MULTILINE):
        return "workflow"
    if path.name == "SKILL.md" and parts[0] not in (".claude", ".github", ".agents"):
        return "" if agents.is_agent_skill(path) else "workflow"
    return "step file" if path.suffix == ".md" and path.name.startswith("step-") else ""


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


def compare(row: Row, folder: Path, native: Path, generated: Path) -> None:
    """Hold what was made of a project, imported and compiled, against what it states."""
    found = made.read(native, generated)
    stated = agents.stated(folder)
    parseable = Counter(each.path for each in stated if not each.fault)
    row.parseable = parseable.total()
    row.missing = [f"no agent: {path}" for path in (parseable - Counter(found.agents)).elements()]
    row.missing += [f"not parseable: {each.path}: {each.fault}" for each in stated if each.fault]
    row.verdicts = judged.judge(folder, found)


def measure(folder: Path, times: int = TIMES) -> Row:
    """One project: imported for its report, compiled for its times and for what it becomes."""
    folder = folder.resolve()
    files = sum(path.is_file() for path in folder.rglob("*"))
    row = Row(folder.name, files, kinds(folder))
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
        for number in range(times):
            out = f"{place}/generated{number}"
            words = ("--src", str(folder), "--out", out, "--keep-going")
            cold.append(run(*words, "--output-format", "json"))
        row.cold = min(seconds for seconds, _ in cold)
        row.unchanged = min(run(*words)[0] for _ in range(times))
        findings = json.loads(cold[0][1].stdout)["findings"]
        row.codes = dict(sorted(Counter(each["code"] for each in findings).items()))
        row.errors = sum(each["severity"] == "error" for each in findings)
        row.unplaced = sum(not each["path"] or not each["line"] for each in findings)
        compare(row, folder, Path(place, "bmad"), Path(out))
    return row


def table(rows: list[Row]) -> str:
    """The table as Markdown."""
    heads = (
        "project",
        "files",
        "agents parseable → became",
        "workflows found → became",
        "v4 steps → right",
        "step files",
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
        workflows = row.became.get("workflow", {})
        lines.append(
            f"| {row.name} | {row.files} "
            f"| {row.parseable} → {row.found} ({row.agents} in all) "
            f"| {row.kinds['workflow']} → {_kept(workflows)} ({row.flows} flows) "
            f"| {len(row.verdicts)} → {row.right} | {row.kinds['step file']} "
            f"| {fates['carried']} / {fates['approximated']} / {fates['left']} "
            f"| {row.share:.0%} | {row.errors} | {row.unplaced} "
            f"| {row.cold:.2f} | {row.unchanged:.2f} |"
        )
    whole, became = sum(row.parseable for row in rows), sum(row.found for row in rows)
    steps, right = sum(len(row.verdicts) for row in rows), sum(row.right for row in rows)
    lines.append(
        f"| all | {sum(row.files for row in rows)} | {whole} → {became} ({_share(became, whole)}) "
        f"| | {steps} → {right} ({_share(right, steps)}) | | | | "
        f"{sum(row.errors for row in rows)} | {sum(row.unplaced for row in rows)} | | |"
    )
    return "\n".join(lines)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "none"


def causes(row: Row) -> Iterator[str]:
    """What is missing, what is not right, and what is right by a rule, a line each."""
    yield from row.missing
    wrong = [verdict for verdict in row.verdicts if verdict.cause]
    for cause, number in Counter(each.cause for each in wrong).most_common():
        places = [
            f"{each.workflow}, step {each.number + 1}" for each in wrong if each.cause == cause
        ]
        yield f"not right, {number} times: {cause} ({'; '.join(places)})"
    rules = Counter(f"{each.agent}: {each.rule}" for each in row.verdicts if each.rule)
    yield from (f"right by a rule, {number} times: {rule}" for rule, number in rules.items())
    yield from (
        f"left, {number} times: {cause[:160]}" for cause, number in sorted(row.causes.items())
    )


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
        for line in causes(row):
            print(f"  {line}")


if __name__ == "__main__":
    main()
