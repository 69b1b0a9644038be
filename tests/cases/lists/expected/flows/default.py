# Generated from bmad/workflow.yaml. Edit that file, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import Dev, Planner, Splitter
from ..runtime.group import ParallelGroup


def build() -> AsyncFlow:
    planner = Planner()
    dev_and_splitter = ParallelGroup(Dev(for_each=("planner", "stories")), Splitter())
    dev_fixes = Dev(
        id="dev-fixes",
        requires=("x",),
        for_each=("splitter",),
        max_items=5,
        when="inputs.fix",
    )

    planner >> dev_and_splitter >> dev_fixes

    return AsyncFlow(start=planner)
