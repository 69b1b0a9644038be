# Generated from bmad/workflow.yaml. Edit that file, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import A, B, C, D, E, Start
from ..runtime.group import ParallelGroup


def build() -> AsyncFlow:
    start = Start()
    c_and_a_and_b_and_d = ParallelGroup(C(), A(), B(), D())
    e = E()

    start >> c_and_a_and_b_and_d >> e

    return AsyncFlow(start=start)
