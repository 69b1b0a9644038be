# Generated from bmad/agents/. Edit the files there, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import Analyst


def build() -> AsyncFlow:
    analyst = Analyst()

    return AsyncFlow(start=analyst)
