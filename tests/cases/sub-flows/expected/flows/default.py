# Generated from bmad/workflow.yaml. Edit that file, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import Printer, Writer
from ..runtime.subflow import Subflow
from . import end as end_flow
from . import publish


def build() -> AsyncFlow:
    writer = Writer()
    publish_ = Subflow(
        "publish",
        publish.build,
        on_missing_doc="error",
        when='results.writer != ""',
        max_visits=1,
    )
    publish_again = Subflow("publish_again", end_flow.build)
    printer = Printer()

    writer >> publish_ >> publish_again >> printer

    return AsyncFlow(start=writer)
