# Generated from bmad/agents/. Edit the files there, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import Analyst, Comment, Empty


def build() -> AsyncFlow:
    analyst = Analyst()
    comment = Comment()
    empty = Empty()

    analyst >> comment >> empty

    return AsyncFlow(start=analyst)
