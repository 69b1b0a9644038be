# Generated from bmad/workflow.yaml. Edit that file, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import Writer
from ..runtime.flow import End


def build() -> AsyncFlow:
    writer = Writer(
        reads=("style",),
        creates="chapter",
        actions=("done", "again"),
        max_visits=2,
    )
    end = End()

    writer - "again" >> writer
    writer >> end

    return AsyncFlow(start=writer)
