# Generated from bmad/workflow.yaml. Edit that file, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import Checker, Writer
from ..runtime.spec import VERDICT
from ..runtime.subflow import Subflow
from . import chapter

CHECKER_NOTE = """\
Look at the plan.
Be fair.
"""


def build() -> AsyncFlow:
    writer = Writer()
    checker = Checker(
        requires=("plan",),
        note=CHECKER_NOTE,
        shows=("checklists/done.md",),
        output=VERDICT,
    )
    list_ = Writer(
        id="list",
        creates="list",
        note="List the chapters.",
        shows=("tasks/write.md",),
        output={
            "type": "object",
            "properties": {"chapters": {"type": "array", "items": {"type": "string"}}},
        },
        when='results.checker.verdict == "pass"',
    )
    chapter_ = Subflow(
        "chapter",
        chapter.build,
        for_each=("list", "chapters"),
        max_items=20,
    )

    writer >> checker >> list_ >> chapter_

    return AsyncFlow(start=writer)
