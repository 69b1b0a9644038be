# Generated from bmad/workflow.yaml. Edit that file, then run bmad2pf.
"""Until it is good."""

from pocketflow import AsyncFlow

from ..agents import Critic, Printer, Writer
from ..runtime.flow import End


def build() -> AsyncFlow:
    writer = Writer(max_visits=4)
    critic = Critic(max_visits=4)
    printer = Printer()
    end = End()

    writer >> critic
    critic - "revise" >> writer
    critic - "give-up" >> end
    critic >> printer

    return AsyncFlow(start=writer)
