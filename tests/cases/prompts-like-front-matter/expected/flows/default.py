# Generated from bmad/agents/. Edit the files there, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import Blank, Far, Missing, Rule


def build() -> AsyncFlow:
    blank = Blank()
    far = Far()
    missing = Missing()
    rule = Rule()

    blank >> far >> missing >> rule

    return AsyncFlow(start=blank)
