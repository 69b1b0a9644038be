# Generated from bmad/agents/. Edit the files there, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import A, B, C, D, E, F


def build() -> AsyncFlow:
    a = A()
    b = B()
    c = C()
    d = D()
    e = E()
    f = F()

    a >> b >> c >> d >> e >> f

    return AsyncFlow(start=a)
