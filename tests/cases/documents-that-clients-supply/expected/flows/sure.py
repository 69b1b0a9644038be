# Generated from bmad/workflow.yaml. Edit that file, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import Analyst


def build() -> AsyncFlow:
    analyst = Analyst()

    return AsyncFlow(start=analyst)
