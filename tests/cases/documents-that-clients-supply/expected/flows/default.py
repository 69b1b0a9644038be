# Generated from bmad/workflow.yaml. Edit that file, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import Analyst, Writer


def build() -> AsyncFlow:
    analyst = Analyst()
    writer = Writer()

    analyst >> writer

    return AsyncFlow(start=analyst)
