# Generated from bmad/workflows/extra.yaml. Edit that file, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import A


def build() -> AsyncFlow:
    first_a = A(id="first_a", creates="x")
    second_a = A(id="second_a", requires=("x",))

    first_a >> second_a

    return AsyncFlow(start=first_a)
