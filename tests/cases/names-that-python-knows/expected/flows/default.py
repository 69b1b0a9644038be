# Generated from bmad/agents/. Edit the files there, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import A1_2b, Class, Con, EndIt, List, Match, No, None_


def build() -> AsyncFlow:
    none_ = None_()
    a1_2b = A1_2b()
    class_ = Class()
    con = Con()
    end_it = EndIt()
    list_ = List()
    match_ = Match()
    no = No()

    none_ >> a1_2b >> class_ >> con >> end_it >> list_ >> match_ >> no

    return AsyncFlow(start=none_)
