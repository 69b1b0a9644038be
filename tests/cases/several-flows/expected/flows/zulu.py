# Generated from bmad/workflow.yaml. Edit that file, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import A, B


def build() -> AsyncFlow:
    a = A()
    b = B()

    a >> b

    return AsyncFlow(start=a)
