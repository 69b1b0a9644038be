# Generated from bmad/workflow.yaml. Edit that file, then run bmad2pf.
"""Only b"""

from pocketflow import AsyncFlow

from ..agents import B


def build() -> AsyncFlow:
    b = B()

    return AsyncFlow(start=b)
