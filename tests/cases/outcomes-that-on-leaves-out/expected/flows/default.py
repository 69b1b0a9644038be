# Generated from bmad/workflow.yaml. Edit that file, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import Critic, Writer
from ..runtime.flow import End


def build() -> AsyncFlow:
    writer = Writer(max_visits=2)
    critic = Critic(max_visits=2)
    end = End()

    writer >> critic
    critic - "revise" >> writer
    critic >> end

    return AsyncFlow(start=writer)
