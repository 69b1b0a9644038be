"""The guide's verdicts on what was measured are computed, and those of the figures beside them."""

from __future__ import annotations

from typing import Any

import pytest

from bench.short import BEGIN, END, GUIDE, marks, put, table, tables

PART: dict[str, Any] = {
    "part": "Flow",
    "conditions": "Python 3, 2 cores.",
    "tables": [{"title": "A step", "columns": ["", "µs"], "rows": [["ours", "30"], ["b", "40"]]}],
    "aims": [
        {"what": "a ÷ b", "values": [0.1, 0.3], "limit": 0.25, "value": 0.2},
        {"what": "c ÷ d", "values": [2.0], "limit": 0.25, "value": 2.0},
        {"what": "only told", "values": [1.0], "limit": None, "value": 1.0},
    ],
}


def test_a_row_for_each_aim_with_its_verdict() -> None:
    rows = [line for line in table([PART]).splitlines() if "≤" in line]
    assert rows == [
        "| a ÷ b | ≤ 0.25 | 0.2 | 0.1–0.3 | reached |",
        "| c ÷ d | ≤ 0.25 | 2 | 2–2 | missed |",
    ]


def test_only_what_is_between_the_marks_is_replaced() -> None:
    guide = f"before\n{BEGIN}old\n{END}behind\n"
    assert put("new", guide) == f"before\n{BEGIN}\nnew\n{END}behind\n"
    with pytest.raises(ValueError, match="substring"):
        put("new", "no marks")


def test_the_tables_of_a_part_stand_between_marks_of_its_own() -> None:
    begin, end = marks("Flow")
    other, _ = marks("HTTP")
    guide = f"{other}theirs\n{end}{begin}old\n{end}behind\n"
    shown = (
        "Python 3, 2 cores.\n\nA step:\n\n|  | µs |\n| --- | ---: |\n| ours | 30 |\n| b | 40 |\n"
    )
    found = put(tables(PART), guide, begin, end)
    assert found == f"{other}theirs\n{end}{begin}\n{shown}\n{end}behind\n"


def test_the_guide_says_what_its_figures_say() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    shown = guide[guide.index(BEGIN) : guide.index(END)]
    rows = [line.strip("| ").split(" | ") for line in shown.splitlines() if "| ≤ " in line]
    assert len(rows) > 20
    for what, limit, measured, _, verdict in rows:
        reached = float(measured) <= float(limit.removeprefix("≤ "))
        assert verdict == ("reached" if reached else "missed"), what
