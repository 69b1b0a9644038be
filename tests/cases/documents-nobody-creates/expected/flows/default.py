# Generated from bmad/workflow.yaml. Edit that file, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import Analyst, Reviewer


def build() -> AsyncFlow:
    analyst = Analyst()
    reviewer = Reviewer(requires=("budget", "analyst"))

    analyst >> reviewer

    return AsyncFlow(start=analyst)
