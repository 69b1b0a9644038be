# Generated from bmad/.bmad-core/workflows/two-ways.yaml. Edit that file, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import Binder


def build() -> AsyncFlow:
    binder_pamphlet = Binder(id="binder-pamphlet", creates="pamphlet")

    return AsyncFlow(start=binder_pamphlet)
