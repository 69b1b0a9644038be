# Generated from bmad/agents/. Edit the files there, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import First, FullAgent


def build() -> AsyncFlow:
    first = First()
    full_agent = FullAgent()

    first >> full_agent

    return AsyncFlow(start=first)
