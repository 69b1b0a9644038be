"""The options that every part of the bench has in common."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from .report import Report

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Options:
    """What the person at the terminal asked for."""

    rounds: int
    quick: bool
    full: bool
    peers: bool
    json: Path | None


def parse(description: str, arguments: list[str] | None = None) -> Options:
    """Read the command line; `--quick` is a light look, not a result to publish."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, help="measured rounds (default 5, quick 2)")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, fewer rounds")
    parser.add_argument("--full", action="store_true", help="flow: with the real file stores")
    parser.add_argument("--no-peers", action="store_true", help="ours and the floor only")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the facts as JSON too")
    found = parser.parse_args(arguments)
    rounds = found.rounds or (2 if found.quick else 5)
    return Options(rounds, found.quick, found.full, not found.no_peers, found.json)


def deliver(report: Report, options: Options) -> None:
    """Print the report and write its JSON where asked."""
    print(report.text())
    if options.json is not None:
        report.write_json(options.json)
