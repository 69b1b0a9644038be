# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The flows, in the order of their files."""

from ..runtime.flow import Flow
from . import shop

FLOWS = {"shop": Flow("shop", shop.build, description="The tasks of shop")}
