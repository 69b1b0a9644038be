# Generated from bmad/workflow.yaml. Edit that file, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import Critic, One, Two
from ..runtime.flow import End
from ..runtime.group import ParallelGroup


def build() -> AsyncFlow:
    one_and_two = ParallelGroup(One(max_visits=2), Two(max_visits=2))
    critic = Critic(max_visits=2)
    end = End()

    one_and_two >> critic
    critic - "revise" >> one_and_two
    critic - "approve" >> end

    return AsyncFlow(start=one_and_two)
