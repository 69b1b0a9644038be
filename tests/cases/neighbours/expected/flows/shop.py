# Generated from bmad/src/shop/config/tasks.yaml. Edit that file, then run bmad2pf.
"""The tasks of shop"""

from pocketflow import AsyncFlow

from ..agents import Researcher, Writer
from ..runtime.flow import End
from ..runtime.gate import Gate
from ..runtime.group import ParallelGroup

LOOK_NOTE = """\
Look into {topic}

Expected: A list of ten points"""
COMPARE_NOTE = """\
Compare

Expected: A table"""
REPORT_TASK_NOTE = """\
Write the report

Expected: Markdown"""


def build() -> AsyncFlow:
    look_and_compare = ParallelGroup(
        Researcher(id="look", creates="look-result", note=LOOK_NOTE),
        Researcher(id="compare", creates="compare-result", note=COMPARE_NOTE),
    )
    report_task = Writer(
        id="report-task",
        requires=("look-result", "compare-result"),
        creates="report",
        note=REPORT_TASK_NOTE,
        max_visits=3,
    )
    report_task_review = Gate(
        "report-task-review",
        question="Is the result of report-task good as it is?",
        actions=("approve", "reject"),
        max_visits=3,
    )
    end = End()

    look_and_compare >> report_task >> report_task_review
    report_task_review - "reject" >> report_task
    report_task_review >> end

    return AsyncFlow(start=look_and_compare)
