# Generated from bmad/agents/. Edit the files there, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import Critic, FinderA, FinderB, Writer, Zed
from ..runtime.group import ParallelGroup


def build() -> AsyncFlow:
    finder_a_and_finder_b = ParallelGroup(FinderA(), FinderB())
    zed = Zed()
    writer = Writer()
    critic = Critic()

    finder_a_and_finder_b >> zed >> writer >> critic

    return AsyncFlow(start=finder_a_and_finder_b)
