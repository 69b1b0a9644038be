# Generated from bmad/workflow.yaml. Edit that file, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import Analyst, Plain


def build() -> AsyncFlow:
    analyst = Analyst()
    plain = Plain()

    analyst >> plain

    return AsyncFlow(start=analyst)
