# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The agents, sorted by id."""

from .a1_2b import A1_2b
from .class_ import Class
from .con_ import Con
from .end_it import EndIt
from .list import List
from .match_ import Match
from .no import No
from .none_ import None_

AGENTS = (None_, A1_2b, Class, Con, EndIt, List, Match, No)
