# Generated from bmad/workflow.yaml. Edit that file, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import Printer


def build() -> AsyncFlow:
    printer = Printer()

    return AsyncFlow(start=printer)
