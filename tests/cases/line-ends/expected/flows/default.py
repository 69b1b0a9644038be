# Generated from bmad/agents/. Edit the files there, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import Crlf, Mixed


def build() -> AsyncFlow:
    crlf = Crlf()
    mixed = Mixed()

    crlf >> mixed

    return AsyncFlow(start=crlf)
