# Generated from bmad/workflow.yaml. Edit that file, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import Critic, Writer


def build() -> AsyncFlow:
    critic = Critic()
    writer = Writer()

    critic >> writer

    return AsyncFlow(start=critic)
